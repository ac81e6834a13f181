#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace shiftnorm::stats {

/// A sum of doubles whose value depends on neither order nor grouping: a fixed-point number of 32-bit digits.
/// Range   each addend below 2^288 in magnitude, at most 2^30 addends between two normalisations (done by add itself).
///         Bits of an addend below 2^-288 are dropped addend by addend, so that order still does not matter;
///         float32 activations and their squares lie far above that.
/// Source  Kulisch's long accumulator, cut to the exponents that sums of float32 products reach.
class ExactSum {
 public:
  static constexpr int kDigits = 18;       ///< of 32 bits, carried in 64
  static constexpr int kLowestBit = -288;  ///< weight of the lowest bit is 2^kLowestBit

  /// Adds a finite value. Non-finite values, and values out of range, mark the sum as invalid for good.
  void add(double value) noexcept;
  void merge(const ExactSum& other) noexcept;
  [[nodiscard]] bool valid() const noexcept { return valid_; }
  /// The sum that has these digits. Throws FormatError unless they are canonical and below 2^53 in magnitude, so that
  /// sums from files can be added to each other.
  [[nodiscard]] static ExactSum from_digits(const std::array<std::int64_t, kDigits>& digits);
  /// The sum rounded to long double (64 bits of mantissa on x86-64); NaN if invalid.
  [[nodiscard]] long double value() const noexcept;
  /// Digits in canonical form (each in [0, 2^32) but the highest, which carries the sign): equal sums, equal digits.
  [[nodiscard]] std::array<std::int64_t, kDigits> digits() const noexcept;

  friend bool operator==(const ExactSum& a, const ExactSum& b) noexcept {
    return a.valid_ == b.valid_ && a.digits() == b.digits();
  }

 private:
  void normalise() noexcept;

  std::array<std::int64_t, kDigits> digits_{};
  std::uint32_t pending_ = 0;  ///< addends since the digits were last carried
  bool valid_ = true;
};

/// to[c * apart] takes rows[r * stride + c] for every row r: the same digits as by add(), in a fraction of the time
/// where the values of a channel are within some twelve powers of ten of each other.
void add_rows(const double* rows, std::size_t count, std::size_t stride, std::size_t channels, ExactSum* to,
              std::size_t apart) noexcept;

}  // namespace shiftnorm::stats
