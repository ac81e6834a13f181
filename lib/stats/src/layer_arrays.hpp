#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "facts.hpp"
#include "shiftnorm/core/array.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::stats {

/// The arrays of a file by name, "bn1.mean".
using Arrays = std::map<std::string, Array>;

/// The arrays of one layer, each taken out once.
class LayerReader {
 public:
  LayerReader(std::string name, Arrays& arrays) : name_(std::move(name)), arrays_(arrays) {}

  Array take(std::string_view what, DType dtype, const Shape& shape) {
    Array array = take(what, dtype);
    if (array.shape() != shape)
      throw FormatError(
          fmt::format("'{}' has shape {}; expected {}", printable(key(what)), array.shape().text(), shape.text()));
    return array;
  }

  Array take(std::string_view what, DType dtype) {
    const auto found = arrays_.find(key(what));
    if (found == arrays_.end()) throw FormatError(fmt::format("'{}' is missing", printable(key(what))));
    Array array = std::move(found->second);
    arrays_.erase(found);
    if (array.dtype() != dtype)
      throw FormatError(fmt::format("'{}' is {}; expected {}", printable(key(what)), shiftnorm::name_of(array.dtype()),
                                    shiftnorm::name_of(dtype)));
    return array;
  }

  std::vector<double> doubles(std::string_view what, const Shape& shape) {
    std::vector<double> values = take(what, DType::f64, shape).to_double();
    if (!std::ranges::all_of(values, [](double v) { return std::isfinite(v); }))
      throw FormatError(fmt::format("'{}' holds a number that is not finite", printable(key(what))));
    return values;
  }

  std::int64_t count(std::string_view what) {
    const std::int64_t value = take(what, DType::i64, Shape{1}).to_int64()[0];
    if (value < 0 || value > kMostCounted)
      throw FormatError(fmt::format("'{}' is {}; expected a count from 0 to 2^53", printable(key(what)), value));
    return value;
  }

  std::vector<ExactSum> sums(std::string_view what, std::int64_t channels) {
    return sums(what, Shape{channels, ExactSum::kDigits});
  }

  [[nodiscard]] bool has(std::string_view what) const { return arrays_.contains(key(what)); }

  /// Numbers of which no two can overflow when they are added.
  std::vector<std::int64_t> integers(std::string_view what, const Shape& shape, std::int64_t most) {
    std::vector<std::int64_t> values = take(what, DType::i64, shape).to_int64();
    if (!std::ranges::all_of(values, [most](std::int64_t v) { return v >= -most && v <= most; }))
      throw FormatError(fmt::format("'{}' holds a number out of range", printable(key(what))));
    return values;
  }

  /// The shape of an array that is there.
  [[nodiscard]] Shape shape(std::string_view what) const {
    const auto found = arrays_.find(key(what));
    if (found == arrays_.end()) throw FormatError(fmt::format("'{}' is missing", printable(key(what))));
    return found->second.shape();
  }

  std::vector<float> floats(std::string_view what, const Shape& shape) {
    std::vector<float> values = take(what, DType::f32, shape).to_float();
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      throw FormatError(fmt::format("'{}' holds a number that is not finite", printable(key(what))));
    return values;
  }

  std::vector<ExactSum> sums(std::string_view what, const Shape& shape) {
    const std::vector<std::int64_t> digits = take(what, DType::i64, shape).to_int64();
    std::vector<ExactSum> out;
    for (std::size_t at = 0; at < digits.size(); at += ExactSum::kDigits) {
      std::array<std::int64_t, ExactSum::kDigits> own{};
      std::copy_n(digits.begin() + static_cast<std::ptrdiff_t>(at), own.size(), own.begin());
      try {
        out.push_back(ExactSum::from_digits(own));
      } catch (const Error&) {
        rethrow_at(fmt::format("'{}'", printable(key(what))));
      }
    }
    return out;
  }

 private:
  [[nodiscard]] std::string key(std::string_view what) const { return name_ + "." + std::string(what); }
  std::string name_;
  Arrays& arrays_;
};

}  // namespace shiftnorm::stats
