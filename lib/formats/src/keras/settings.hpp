#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/container/json.hpp"

namespace shiftnorm::formats::keras {

/// The `config` of a layer. Keys changed their names between generations of Keras, so every question takes all of them;
/// the first that is there and not null counts.
/// Errors  FormatError naming the key for a value of another type or outside its range.
class Settings {
 public:
  using Keys = std::initializer_list<std::string_view>;

  explicit Settings(const container::Json& config) : config_(&config) {}

  [[nodiscard]] const container::Json* find(Keys keys) const;
  [[nodiscard]] bool flag(Keys keys, bool absent) const;  ///< booleans, also written as 0 and 1
  [[nodiscard]] std::int64_t integer(Keys keys, std::int64_t absent) const;
  [[nodiscard]] double number(Keys keys, double absent) const;  ///< also as {"type": "ndarray", "value": x}
  [[nodiscard]] std::string text(Keys keys, std::string absent) const;
  /// Sizes, strides, rates: `count` integers of 1 to 2^20, or one that stands for all.
  [[nodiscard]] std::vector<std::int64_t> extents(Keys keys, std::size_t count, std::int64_t absent) const;
  /// One number, or a list of them.
  [[nodiscard]] std::vector<double> numbers(Keys keys) const;
  /// An axis as a number or a list of one.
  [[nodiscard]] std::int64_t axis(Keys keys, std::int64_t absent) const;
  /// data_format or dim_ordering; absent where the layer does not say.
  [[nodiscard]] std::optional<bool> channels_first() const;

 private:
  const container::Json* config_;
};

/// A number in any of the ways that Keras writes one.
[[nodiscard]] double number_of(const container::Json& json);

}  // namespace shiftnorm::formats::keras
