#pragma once

#include <optional>
#include <string>

#include "shiftnorm/container/json.hpp"

namespace shiftnorm::results {

using container::text_or_null, container::value_or_null;

/// Members that may be missing or null.
[[nodiscard]] std::string text_at(const container::Json& object, std::string_view key);  ///< empty: missing or null
[[nodiscard]] std::optional<double> number_at(const container::Json& object, std::string_view key);
[[nodiscard]] std::optional<std::int64_t> integer_at(const container::Json& object, std::string_view key);
[[nodiscard]] std::vector<std::string> texts_at(const container::Json& object, std::string_view key);

}  // namespace shiftnorm::results
