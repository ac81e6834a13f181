#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/container/json.hpp"

namespace shiftnorm::config {

using container::Json;

/// Integers that a value may be, both ends included.
struct Whole {
  std::int64_t least, most = std::numeric_limits<std::int64_t>::max();
};
/// Numbers that a value may be; open: without the ends.
struct Range {
  double least = std::numeric_limits<double>::lowest(), most = std::numeric_limits<double>::max();
  bool open = false;
};

inline constexpr Whole kCount{1}, kSeed{0}, kBatchSize{1, std::int64_t{1} << 30};
inline constexpr Range kAnyNumber{}, kNotNegative{0}, kShare{0, 1};

/// Parts of a JSON Schema (draft 7).
[[nodiscard]] Json scalar_schema();  ///< what YAML writes as a text, a number or a truth value
[[nodiscard]] Json texts_schema();   ///< one such, or a list
[[nodiscard]] Json truth_schema();
[[nodiscard]] Json whole_schema(const Whole& bounds);
[[nodiscard]] Json number_schema(const Range& bounds);
[[nodiscard]] Json words_schema(std::span<const std::string> words);
[[nodiscard]] Json list_schema(Json item);  ///< of one or more
[[nodiscard]] Json list_schema(Json item, std::size_t least, std::size_t most);
[[nodiscard]] Json dictionary_schema(Json value);  ///< free keys, at least one
[[nodiscard]] Json one_of(std::vector<Json> alternatives);
[[nodiscard]] Json reference(std::string_view definition);
[[nodiscard]] Json required_keys(const std::vector<std::string>& keys);  ///< a condition: all of these are there
[[nodiscard]] Json any_of_keys(const std::vector<std::string>& keys);    ///< a condition: one of these is there

/// A map with fixed keys.
class MapSchema {
 public:
  void add(std::string_view key, Json value, Json standard, std::string_view description, bool required);
  [[nodiscard]] Json take();

 private:
  Json properties_ = Json::object();
  std::vector<std::string> required_;
};

}  // namespace shiftnorm::config
