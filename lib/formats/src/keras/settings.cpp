#include "settings.hpp"

#include <fmt/format.h>

#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

using container::Json;

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 20U;

std::string where(Settings::Keys keys) { return fmt::format("'{}'", *keys.begin()); }

std::int64_t extent_of(const Json& json) {
  const std::int64_t value = json.as_integer();
  if (value < 1 || value > kMaxExtent) throw FormatError(fmt::format("is {}; expected 1 to {}", value, kMaxExtent));
  return value;
}

/// Adds the key to the error of what reads its value.
template <class Read>
auto read_at(Settings::Keys keys, const Read& read) {
  try {
    return read();
  } catch (const Error&) {
    rethrow_at(where(keys));
  }
}

}  // namespace

double number_of(const Json& json) {
  const Json* value = json.find("value");
  return (value != nullptr ? *value : json).as_number();
}

const Json* Settings::find(Keys keys) const {
  for (const std::string_view key : keys)
    if (const Json* value = config_->find(key); value != nullptr && !value->is_null()) return value;
  return nullptr;
}

bool Settings::flag(Keys keys, bool absent) const {
  const Json* value = find(keys);
  if (value == nullptr) return absent;
  return read_at(keys, [value] { return value->is_integer() ? value->as_integer() != 0 : value->as_bool(); });
}

std::int64_t Settings::integer(Keys keys, std::int64_t absent) const {
  const Json* value = find(keys);
  return value == nullptr ? absent : read_at(keys, [value] { return value->as_integer(); });
}

double Settings::number(Keys keys, double absent) const {
  const Json* value = find(keys);
  return value == nullptr ? absent : read_at(keys, [value] { return number_of(*value); });
}

std::string Settings::text(Keys keys, std::string absent) const {
  const Json* value = find(keys);
  return value == nullptr ? std::move(absent) : read_at(keys, [value] { return value->as_string(); });
}

std::vector<std::int64_t> Settings::extents(Keys keys, std::size_t count, std::int64_t absent) const {
  const Json* value = find(keys);
  if (value == nullptr) return std::vector<std::int64_t>(count, absent);
  return read_at(keys, [&] {
    if (!value->is_array()) return std::vector<std::int64_t>(count, extent_of(*value));
    std::vector<std::int64_t> extents;
    for (const Json& item : value->as_array()) extents.push_back(extent_of(item));
    if (extents.size() == 1) extents.resize(count, extents[0]);
    if (extents.size() != count) throw FormatError(fmt::format("has {} numbers; expected {}", extents.size(), count));
    return extents;
  });
}

std::vector<double> Settings::numbers(Keys keys) const {
  const Json* value = find(keys);
  if (value == nullptr) return {};
  return read_at(keys, [value] {
    std::vector<double> found;
    // Constants may be nested to the rank of what they are applied to.
    std::vector<const Json*> open{value};
    while (!open.empty()) {
      const Json& next = *open.back();
      open.pop_back();
      const Json* list = next.is_array() ? &next : next.find("value");
      if (list != nullptr && list->is_array())
        for (auto item = list->as_array().rbegin(); item != list->as_array().rend(); ++item) open.push_back(&*item);
      else
        found.push_back(number_of(next));
    }
    return found;
  });
}

std::int64_t Settings::axis(Keys keys, std::int64_t absent) const {
  const Json* value = find(keys);
  if (value == nullptr) return absent;
  return read_at(keys, [value] {
    if (!value->is_array()) return value->as_integer();
    if (value->as_array().size() != 1)
      throw UnsupportedError(fmt::format("has {} axes; supported is one", value->as_array().size()));
    return value->as_array()[0].as_integer();
  });
}

std::optional<bool> Settings::channels_first() const {
  const std::string format = text({"data_format", "dim_ordering"}, "");
  if (format.empty() || format == "default") return std::nullopt;
  if (format == "channels_first" || format == "th") return true;
  if (format == "channels_last" || format == "tf") return false;
  throw FormatError(fmt::format("'data_format' is '{}'; expected channels_last or channels_first", printable(format)));
}

}  // namespace shiftnorm::formats::keras
