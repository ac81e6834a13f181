#include "shiftnorm/adapt/mode_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "shiftnorm/adapt/mixture.hpp"

namespace shiftnorm::adapt {
namespace {

template <class T>
FieldValue field_value(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return std::string(name_of(value));
  else
    return value;
}
template <class T>
FieldValue field_value(const std::optional<T>& value) {
  return value ? FieldValue(*value) : FieldValue();
}

/// False is how a mode is that says nothing.
FieldValue field_value(bool value) { return value ? FieldValue(true) : FieldValue(); }
FieldValue field_value(const Shares& shares) {
  return shares.from == SharesFrom::given ? FieldValue(shares.given) : FieldValue(std::string(name_of(shares.from)));
}

template <auto Member>
FieldValue of_mode(const Mode& mode) {
  return field_value(mode.*Member);
}
template <auto Member>
FieldValue of_layers(const Mode& mode) {
  return field_value(mode.layers.*Member);
}

bool never(const Mode&) { return false; }
bool always(const Mode&) { return true; }
bool measuring(const Mode& mode) { return measures(mode.policy); }
bool by_momentum(const Mode& mode) {
  return measuring(mode) && (mode.estimator == Estimator::ema || mode.estimator == Estimator::ema_reset);
}
bool with_weight(const Mode& mode) { return weighted(mode.policy); }
bool with_shares(const Mode& mode) { return mode.policy == Policy::matched; }
/// A source may be one that its file's own runtime normalises by batches.
bool of_batches(const Mode& mode) { return in_batches(mode) || mode.policy == Policy::source; }

constexpr std::array kFields{
    ModeField{"name", of_mode<&Mode::name>, never},
    ModeField{"policy", of_mode<&Mode::policy>, always},
    ModeField{"semantics", of_mode<&Mode::semantics>, measuring},
    ModeField{"estimator", of_mode<&Mode::estimator>, measuring},
    ModeField{"batch", of_mode<&Mode::batch>, of_batches},
    ModeField{"momentum", of_mode<&Mode::momentum>, by_momentum},
    ModeField{"shuffle", of_mode<&Mode::shuffle>, in_batches},
    ModeField{"source_weight", of_mode<&Mode::source_weight>, with_weight},
    ModeField{"prior_images", of_mode<&Mode::prior_images>, with_weight},
    ModeField{"shares", of_mode<&Mode::shares>, with_shares},
    ModeField{"prior_correction", of_mode<&Mode::prior_correction>, with_shares},
    ModeField{"layers.include", of_layers<&LayerRule::include>, always},
    ModeField{"layers.exclude", of_layers<&LayerRule::exclude>, always},
    ModeField{"layers.first", of_layers<&LayerRule::first>, always},
    ModeField{"layers.last", of_layers<&LayerRule::last>, always},
    ModeField{"layers.min_level", of_layers<&LayerRule::min_level>, always},
    ModeField{"layers.max_level", of_layers<&LayerRule::max_level>, always},
};

/// How many fields a mode has, those of its layers counted apart and `mixture`, which is found out, not set, left out. The bindings take them all: a mode with one more does
/// not compile until it is counted here, and then not until it has its row above.
[[maybe_unused]] constexpr auto fields_of(const Mode& mode) {
  const auto& [name, policy, semantics, estimator, batch, momentum, shuffle, source_weight, prior_images, shares,
               prior_correction, layers, mixture] = mode;
  const auto& [include, exclude, first, last, min_level, max_level] = layers;
  static_cast<void>(name);
  static_cast<void>(include);
  return std::integral_constant<std::size_t, 11 + 6>{};
}
static_assert(kFields.size() == decltype(fields_of(Mode{}))::value);

/// Of the texts that canonical() makes, which keys in users' folders were made from: not that of YAML.
constexpr std::array<std::string_view, kFields.size() - 1> kCanonicalOrder{
    "policy",        "semantics",    "estimator",        "momentum",         "batch",          "shuffle",
    "source_weight", "prior_images", "shares",           "prior_correction", "layers.include", "layers.exclude",
    "layers.first",  "layers.last",  "layers.min_level", "layers.max_level"};

constexpr const ModeField& field_named(std::string_view name) {
  return *std::ranges::find(kFields, name, &ModeField::name);
}

constexpr bool each_once() {
  return std::ranges::all_of(kFields, [](const ModeField& field) {
    return std::ranges::count(kCanonicalOrder, field.name) == (field.name == "name" ? 0 : 1);
  });
}
static_assert(each_once(), "every field of a mode but its name enters canonical()");

/// A value in canonical(); empty: it is not named.
struct CanonicalText {
  std::string operator()(std::monostate) const { return {}; }
  /// Each pattern behind its length, so that no pattern can be read as two.
  std::string operator()(const std::vector<std::string>& patterns) const {
    std::string list;
    for (const std::string& pattern : patterns) list += fmt::format("{}:{},", pattern.size(), pattern);
    return list;
  }
  std::string operator()(const ShareList& shares) const {
    std::string list;
    for (const auto& [name, share] : shares) list += fmt::format("{}:{}={},", name.size(), name, share);
    return list;
  }
  template <class T>
  std::string operator()(const T& one) const {
    return fmt::format("{}", one);
  }
};

}  // namespace

std::span<const ModeField> mode_fields() { return kFields; }

std::string canonical(const Mode& mode) {
  std::string out;
  for (const std::string_view name : kCanonicalOrder) {
    const ModeField& field = field_named(name);
    if (!field.matters(mode)) continue;
    const std::string value = std::visit(CanonicalText{}, field.value(mode));
    if (value.empty()) continue;
    std::string key(name);
    std::ranges::replace(key, '_', '-');
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key, value);
  }
  if (mode.policy == Policy::matched && mode.mixture) out += " mixture=" + mode.mixture->key;
  return out;
}

}  // namespace shiftnorm::adapt
