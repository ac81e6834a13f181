#include "json_schema.hpp"

#include <cmath>

namespace shiftnorm::config {
namespace {

/// 1 rather than 1.0 where both are the same number.
Json number_json(double value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  return std::floor(value) == value && std::abs(value) <= kExact ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

}  // namespace

Json scalar_schema() {
  return Json::object({{"type", Json::array({"string", "number", "boolean"})}, {"minLength", 1}});
}

Json texts_schema() { return one_of({scalar_schema(), list_schema(scalar_schema())}); }

Json truth_schema() { return Json::object({{"enum", Json::array({true, false, "on", "off", "yes", "no"})}}); }

Json whole_schema(const Whole& bounds) {
  Json out = Json::object({{"type", "integer"}, {"minimum", bounds.least}});
  if (bounds.most < std::numeric_limits<std::int64_t>::max()) out.set("maximum", bounds.most);
  return out;
}

Json number_schema(const Range& bounds) {
  Json out = Json::object({{"type", "number"}});
  if (bounds.least > std::numeric_limits<double>::lowest())
    out.set(bounds.open ? "exclusiveMinimum" : "minimum", number_json(bounds.least));
  if (bounds.most < std::numeric_limits<double>::max())
    out.set(bounds.open ? "exclusiveMaximum" : "maximum", number_json(bounds.most));
  return out;
}

Json words_schema(std::span<const std::string> words) { return Json::object({{"enum", container::texts_json(words)}}); }

Json list_schema(Json item) { return Json::object({{"type", "array"}, {"minItems", 1}, {"items", std::move(item)}}); }

Json list_schema(Json item, std::size_t least, std::size_t most) {
  return Json::object({{"type", "array"},
                       {"minItems", static_cast<std::int64_t>(least)},
                       {"maxItems", static_cast<std::int64_t>(most)},
                       {"items", std::move(item)}});
}

Json dictionary_schema(Json value) {
  return Json::object({{"type", "object"}, {"minProperties", 1}, {"additionalProperties", std::move(value)}});
}

Json one_of(std::vector<Json> alternatives) { return Json::object({{"oneOf", Json::array(std::move(alternatives))}}); }

Json reference(std::string_view definition) { return Json::object({{"$ref", "#/$defs/" + std::string(definition)}}); }

Json required_keys(const std::vector<std::string>& keys) {
  return Json::object({{"required", container::texts_json(keys)}});
}

Json any_of_keys(const std::vector<std::string>& keys) {
  Json any = Json::array();
  for (const std::string& key : keys) any.push(required_keys({key}));
  return Json::object({{"anyOf", std::move(any)}});
}

void MapSchema::add(std::string_view key, Json value, Json standard, std::string_view description, bool required) {
  // Beside a $ref nothing is read: a definition has its own description.
  if (value.find("$ref") == nullptr) {
    if (!standard.is_null() && !required) value.set("default", std::move(standard));
    if (!description.empty()) value.set("description", description);
  }
  properties_.set(std::string(key), std::move(value));
  if (required) required_.emplace_back(key);
}

Json MapSchema::take() {
  Json out =
      Json::object({{"type", "object"}, {"properties", std::move(properties_)}, {"additionalProperties", false}});
  if (!required_.empty()) out.set("required", container::texts_json(required_));
  return out;
}

}  // namespace shiftnorm::config
