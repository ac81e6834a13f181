#include "shiftnorm/stats/exact_sum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "row_sums.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {
namespace {

/// Addends of less than 2^32 to a digit between two carries: far from 2^63 together.
constexpr std::uint32_t kMostPending = 1u << 30;

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
  if (++pending_ >= kMostPending) normalise();
}

void ExactSum::normalise() noexcept {
  carry(digits_);
  pending_ = 0;
}

void ExactSum::merge(const ExactSum& other) noexcept {
  valid_ = valid_ && other.valid_;
  for (std::size_t i = 0; i < digits_.size(); ++i) digits_[i] += other.digits_[i];
  // Digits that were carried are less than 2^32, which is one addend.
  pending_ += other.pending_ + 1;
  if (pending_ >= kMostPending) normalise();
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
  std::size_t above = magnitude.size(), lowest = 0;
  while (above > 0 && magnitude[above - 1] == 0) --above;
  while (lowest < above && magnitude[lowest] == 0) ++lowest;
  for (std::size_t i = above; i-- > lowest;) sum = sum * 0x1p32L + static_cast<long double>(magnitude[i]);
  sum = std::ldexp(sum, 32 * static_cast<int>(lowest) + kLowestBit);
  return negative ? -sum : sum;
}

void add_rows(const double* rows, std::size_t count, std::size_t stride, std::size_t channels, ExactSum* to,
              std::size_t apart) noexcept {
  constexpr std::size_t kFew = 3, kChannels = 64;  // fewer cost less one by one; so many lie in the nearest cache
  std::array<double, kChannels> upper, rest, exact;
  for (std::size_t c = 0; c < channels; c += kChannels) {
    const std::size_t together = std::min(kChannels, channels - c);
    for (std::size_t r = 0; r < count; r += kMostRows) {
      const double* from = rows + r * stride + c;
      const std::size_t many = std::min(kMostRows, count - r);
      if (many >= kFew) add_up_rows(from, many, stride, together, upper.data(), rest.data(), exact.data());
      for (std::size_t i = 0; i < together; ++i) {
        ExactSum& sum = to[(c + i) * apart];
        if (many >= kFew && exact[i] != 0) {
          sum.add(upper[i]);
          sum.add(rest[i]);
        } else {
          for (std::size_t k = 0; k < many; ++k) sum.add(from[k * stride + i]);
        }
      }
    }
  }
}

}  // namespace shiftnorm::stats
