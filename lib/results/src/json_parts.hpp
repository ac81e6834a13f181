#pragma once

#include <optional>
#include <string>

#include "shiftnorm/container/json.hpp"

namespace shiftnorm::results {

[[nodiscard]] inline container::Json text_or_null(const std::string& text) {
  return text.empty() ? container::Json() : container::Json(text);
}

template <class T>
[[nodiscard]] container::Json value_or_null(const std::optional<T>& value) {
  return value ? container::Json(*value) : container::Json();
}

/// Members that may be missing or null.
[[nodiscard]] std::string text_at(const container::Json& object, std::string_view key);  ///< empty: missing or null
[[nodiscard]] std::optional<double> number_at(const container::Json& object, std::string_view key);
[[nodiscard]] std::optional<std::int64_t> integer_at(const container::Json& object, std::string_view key);
[[nodiscard]] std::vector<std::string> texts_at(const container::Json& object, std::string_view key);

}  // namespace shiftnorm::results
