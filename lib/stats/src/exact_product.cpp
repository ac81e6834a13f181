#include "exact_product.hpp"

#include <array>
#include <cmath>
#include <limits>

namespace shiftnorm::stats {
namespace {

using Digits = std::array<std::int64_t, ExactSum::kDigits>;

/// The magnitude of canonical digits, each below 2^32 but the highest: a small negative number has large ones, whose
/// products might leave the range.
Digits negated(Digits digits) {
  std::int64_t over = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::int64_t digit = over - digits[i];
    const bool last = i + 1 == digits.size();
    digits[i] = last ? digit : digit & 0xffffffff;
    over = last ? 0 : digit >> 32;  // arithmetic: rounds towards minus infinity
  }
  return digits;
}

}  // namespace

ExactSum times(const ExactSum& sum, double factor) noexcept {
  ExactSum product;
  if (!sum.valid()) product.add(std::numeric_limits<double>::quiet_NaN());
  Digits digits = sum.digits();
  if (digits.back() < 0) {
    digits = negated(digits);
    factor = -factor;
  }
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] == 0) continue;
    // 32 bits, or 53 at the top: a double's.
    const double value = std::ldexp(static_cast<double>(digits[i]), 32 * static_cast<int>(i) + ExactSum::kLowestBit);
    const double rounded = value * factor;
    product.add(rounded);
    product.add(std::fma(value, factor, -rounded));
  }
  return product;
}

}  // namespace shiftnorm::stats
