#include "mode_json.hpp"

#include <array>
#include <type_traits>

#include "json_parts.hpp"

namespace shiftnorm::results {
namespace {

using container::Json;

/// A field of T under its name in JSON. Null: there is nothing to say.
template <class T>
struct FactField {
  std::string_view name;
  Json (*write)(const T&);
  void (*read)(const Json& object, std::string_view name, T&);
  bool (*always)(const T&) = nullptr;  ///< whether null is written too
};

Json json_of(const std::string& text) { return text_or_null(text); }
Json json_of(const std::vector<std::string>& texts) { return texts.empty() ? Json() : container::texts_json(texts); }
template <class T>
Json json_of(const std::optional<T>& value) {
  return value_or_null(value);
}

void read_value(const Json& object, std::string_view name, std::string& text) { text = text_at(object, name); }
void read_value(const Json& object, std::string_view name, std::vector<std::string>& texts) {
  texts = texts_at(object, name);
}
void read_value(const Json& object, std::string_view name, std::optional<std::int64_t>& value) {
  value = integer_at(object, name);
}
void read_value(const Json& object, std::string_view name, std::optional<double>& value) {
  value = number_at(object, name);
}

template <class T, auto Member>
Json write_member(const T& from) {
  return json_of(from.*Member);
}
template <class T, auto Member>
void read_member(const Json& object, std::string_view name, T& into) {
  read_value(object, name, into.*Member);
}

template <auto Member>
constexpr FactField<ModeFacts> of_mode(std::string_view name, bool (*always)(const ModeFacts&) = nullptr) {
  return {name, write_member<ModeFacts, Member>, read_member<ModeFacts, Member>, always};
}
template <auto Member>
constexpr FactField<LayerFacts> of_layers(std::string_view name) {
  return {name, write_member<LayerFacts, Member>, read_member<LayerFacts, Member>};
}

template <class T, std::size_t N>
Json write_fields(const std::array<FactField<T>, N>& fields, const T& from) {
  Json out = Json::object();
  for (const FactField<T>& field : fields)
    if (Json value = field.write(from); !value.is_null() || (field.always != nullptr && field.always(from)))
      out.set(std::string(field.name), std::move(value));
  return out;
}
template <class T, std::size_t N>
void read_fields(const std::array<FactField<T>, N>& fields, const Json& object, T& into) {
  for (const FactField<T>& field : fields) field.read(object, field.name, into);
}

constexpr std::array kLayers{
    of_layers<&LayerFacts::include>("include"),     of_layers<&LayerFacts::exclude>("exclude"),
    of_layers<&LayerFacts::first>("first"),         of_layers<&LayerFacts::last>("last"),
    of_layers<&LayerFacts::min_level>("min_level"), of_layers<&LayerFacts::max_level>("max_level")};

Json write_layers(const ModeFacts& mode) {
  return mode.layers.restricted() ? write_fields(kLayers, mode.layers) : Json();
}
void read_layers(const Json& object, std::string_view name, ModeFacts& mode) {
  if (const Json* layers = object.find(name); layers != nullptr && !layers->is_null())
    read_fields(kLayers, *layers, mode.layers);
}

void read_shuffle(const Json& object, std::string_view name, ModeFacts& mode) {
  const Json* seed = object.find(name);
  if (seed == nullptr || seed->is_null()) return;
  mode.shuffle = seed->is_integer() ? static_cast<std::uint64_t>(seed->as_integer())
                                    : static_cast<std::uint64_t>(seed->as_number());
}

bool in_any(const ModeFacts&) { return true; }
/// Null beside batches: they come in the order of arrival.
bool in_batches(const ModeFacts& mode) { return mode.batch.has_value(); }

void read_required(const Json& object, std::string_view name, std::string& text) { text = object.at(name).as_string(); }

constexpr std::string_view kGiven = "given";

/// A word, or the shares themselves.
Json write_shares(const ModeFacts& mode) {
  if (mode.shares != kGiven) return container::text_or_null(mode.shares);
  Json out = Json::object();
  for (const auto& [name, share] : mode.given_shares) out.set(name, share);
  return out;
}
void read_shares(const Json& object, std::string_view name, ModeFacts& mode) {
  const Json* shares = object.find(name);
  if (shares == nullptr || shares->is_null()) return;
  if (!shares->is_object()) {
    mode.shares = shares->as_string();
    return;
  }
  mode.shares = kGiven;
  for (const auto& [key, share] : shares->as_object()) mode.given_shares.emplace_back(key, share.as_number());
}

Json write_prior(const ModeFacts& mode) { return mode.prior_correction ? Json(true) : Json(); }
void read_prior(const Json& object, std::string_view name, ModeFacts& mode) {
  const Json* prior = object.find(name);
  mode.prior_correction = prior != nullptr && !prior->is_null() && prior->as_bool();
}

constexpr std::array kMode{
    FactField<ModeFacts>{"name", [](const ModeFacts& m) { return Json(m.name); },
                         [](const Json& o, std::string_view name, ModeFacts& m) { read_required(o, name, m.name); }},
    FactField<ModeFacts>{"policy", [](const ModeFacts& m) { return Json(m.policy); },
                         [](const Json& o, std::string_view name, ModeFacts& m) { read_required(o, name, m.policy); }},
    of_mode<&ModeFacts::semantics>("semantics", in_any),
    of_mode<&ModeFacts::estimator>("estimator", in_any),
    of_mode<&ModeFacts::batch>("batch"),
    FactField<ModeFacts>{"shuffle", write_member<ModeFacts, &ModeFacts::shuffle>, read_shuffle, in_batches},
    of_mode<&ModeFacts::momentum>("momentum"),
    of_mode<&ModeFacts::source_weight>("source_weight"),
    of_mode<&ModeFacts::prior_images>("prior_images"),
    FactField<ModeFacts>{"shares", write_shares, read_shares},
    FactField<ModeFacts>{"prior_correction", write_prior, read_prior},
    FactField<ModeFacts>{"layers", write_layers, read_layers},
};

/// How many fields a mode's facts have, but `exportable`, which the policy tells, and given_shares, which are a form of
/// `shares`. The bindings take them all: one more
/// does not compile until it is counted here, and then not until it has its row above.
[[maybe_unused]] constexpr auto fields_of(const ModeFacts& mode) {
  const auto& [name, policy, semantics, estimator, exportable, batch, shuffle, momentum, source_weight, prior_images,
               shares, given_shares, prior_correction, layers] = mode;
  const auto& [include, exclude, first, last, min_level, max_level] = layers;
  static_cast<void>(name);
  static_cast<void>(include);
  return std::integral_constant<std::size_t, 12 + 6>{};
}
static_assert(kMode.size() + kLayers.size() == decltype(fields_of(ModeFacts{}))::value);

}  // namespace

Json mode_json(const ModeFacts& mode) { return write_fields(kMode, mode); }

ModeFacts read_mode(const Json& json) {
  ModeFacts mode;
  read_fields(kMode, json, mode);
  mode.exportable = mode.policy != "batch" && mode.policy != "instance";
  return mode;
}

}  // namespace shiftnorm::results
