#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace shiftnorm::container {

/// A JSON value (RFC 8259). Objects keep the order in which keys were added. Integers stay integers.
class Json {
 public:
  using Member = std::pair<std::string, Json>;
  using ArrayType = std::vector<Json>;
  using ObjectType = std::vector<Member>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(bool v) : value_(v) {}
  Json(int v) : value_(static_cast<std::int64_t>(v)) {}
  Json(std::int64_t v) : value_(v) {}
  Json(std::uint64_t v) {  ///< above 2^63 - 1 a double, as parse_json has it
    if (v <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      value_ = static_cast<std::int64_t>(v);
    else
      value_ = static_cast<double>(v);
  }
  Json(double v) : value_(v) {}  ///< NaN and infinities are written as null
  Json(const char* v) : value_(std::string(v)) {}
  Json(std::string v) : value_(std::move(v)) {}
  Json(std::string_view v) : value_(std::string(v)) {}
  static Json array(ArrayType items = {}) {
    Json j;
    j.value_ = std::move(items);
    return j;
  }
  static Json object(ObjectType members = {}) {
    Json j;
    j.value_ = std::move(members);
    return j;
  }

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(value_); }
  [[nodiscard]] bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  [[nodiscard]] bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<ArrayType>(value_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<ObjectType>(value_); }

  /// Typed access; each throws FormatError naming the found and the expected type.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const ArrayType& as_array() const;
  [[nodiscard]] const ObjectType& as_object() const;

  [[nodiscard]] const Json* find(std::string_view key) const;  ///< nullptr if this is not an object or has no such key
  [[nodiscard]] const Json& at(std::string_view key) const;    ///< throws FormatError naming the key
  Json& set(std::string key, Json value);  ///< adds or replaces; a null value becomes an object first
  Json& push(Json value);                  ///< appends; a null value becomes an array first

  friend bool operator==(const Json&, const Json&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, ArrayType, ObjectType> value_;
};

/// An array of texts.
[[nodiscard]] Json texts_json(std::span<const std::string> texts);
/// Null where there is nothing to say.
[[nodiscard]] inline Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
template <class T>
[[nodiscard]] Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// Errors  FormatError with byte offset: bad syntax, a key given twice, nesting deeper than 64, more than 2^20 values,
///         a number beyond double's range, invalid UTF-8.
[[nodiscard]] Json parse_json(std::string_view text);
/// indent < 0: one line. Doubles are written so that reading gives the same bits.
[[nodiscard]] std::string write_json(const Json& value, int indent = -1);

}  // namespace shiftnorm::container
