#include "shiftnorm/stats/exact_sum.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {
namespace {

/// Carries every digit into [0, 2^32); the highest keeps the sign.
void carry(std::array<std::int64_t, ExactSum::kDigits>& digits) noexcept {
  std::int64_t over = 0;
  for (int i = 0; i + 1 < ExactSum::kDigits; ++i) {
    const std::int64_t digit = digits[static_cast<std::size_t>(i)] + over;
    over = digit >> 32;  // arithmetic: rounds towards minus infinity
    digits[static_cast<std::size_t>(i)] = digit & 0xffffffff;
  }
  digits.back() += over;
}

}  // namespace

void ExactSum::add(double value) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int biased = static_cast<int>((bits >> 52) & 0x7ff);
  if (biased >= 1023 + 287) {  // out of range, infinite or not a number
    valid_ = false;
    return;
  }
  // Weight of the mantissa's lowest bit, counted from the lowest bit that is kept.
  const int low = biased - 1075 - kLowestBit;
  if (biased == 0 || low <= -53) return;
  std::uint64_t mantissa = (bits & 0xfffffffffffffULL) | 0x10000000000000ULL;
  int at = low;
  if (low < 0) {
    mantissa >>= -low;
    at = 0;
  }
  const int digit = at >> 5, shift = at & 31;
  const auto d = static_cast<std::size_t>(digit);
  const std::uint64_t lower = mantissa << shift;  // up to 84 bits in all
  const std::uint64_t upper = shift == 0 ? 0 : mantissa >> (64 - shift);
  const auto p0 = static_cast<std::int64_t>(lower & 0xffffffff), p1 = static_cast<std::int64_t>(lower >> 32);
  const auto p2 = static_cast<std::int64_t>(upper);
  const std::int64_t sign = static_cast<std::int64_t>(bits) < 0 ? -1 : 1;
  digits_[d] += sign * p0;
  digits_[d + 1] += sign * p1;
  if (p2 != 0) digits_[d + 2] += sign * p2;
  if (++pending_ >= (1u << 30)) normalise();
}

void ExactSum::normalise() noexcept {
  carry(digits_);
  pending_ = 0;
}

void ExactSum::merge(const ExactSum& other) noexcept {
  valid_ = valid_ && other.valid_;
  if (pending_ + std::uint64_t{other.pending_} >= (1u << 30)) normalise();
  const std::array<std::int64_t, kDigits> theirs = other.digits();
  for (std::size_t i = 0; i < digits_.size(); ++i) digits_[i] += theirs[i];
  ++pending_;
}

std::array<std::int64_t, ExactSum::kDigits> ExactSum::digits() const noexcept {
  std::array<std::int64_t, kDigits> canonical = digits_;
  carry(canonical);
  return canonical;
}

ExactSum ExactSum::from_digits(const std::array<std::int64_t, kDigits>& digits) {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;
  for (std::size_t i = 0; i + 1 < digits.size(); ++i)
    if (digits[i] < 0 || digits[i] > 0xffffffff)
      throw FormatError(fmt::format("digit {} is {}; expected 0 to 2^32 - 1", i, digits[i]));
  if (digits.back() < -kMost || digits.back() >= kMost)
    throw FormatError(fmt::format("digit {} is {}; expected less than 2^53", digits.size() - 1, digits.back()));
  ExactSum sum;
  sum.digits_ = digits;
  return sum;
}

long double ExactSum::value() const noexcept {
  if (!valid_) return std::numeric_limits<long double>::quiet_NaN();
  std::array<std::int64_t, kDigits> magnitude = digits();
  const bool negative = magnitude.back() < 0;
  if (negative) {
    // Negated before conversion: two's-complement digits of a small negative number would round away.
    for (std::int64_t& digit : magnitude) digit = -digit;
    carry(magnitude);
  }
  long double sum = 0;
  for (int i = kDigits - 1; i >= 0; --i)
    sum += std::ldexp(static_cast<long double>(magnitude[static_cast<std::size_t>(i)]), 32 * i + kLowestBit);
  return negative ? -sum : sum;
}

}  // namespace shiftnorm::stats
