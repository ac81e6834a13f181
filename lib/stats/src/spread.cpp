#include "shiftnorm/stats/spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "row_sums.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {
namespace {

/// What rounding took from a^2, q^2 and aq when a = first / divisor and q = second / divisor, to first order.
std::array<double, 3> rounded_off(double first, double second, double divisor) {
  const double a = first / divisor, q = second / divisor;
  const double a_rest = std::fma(-a, divisor, first) / divisor, q_rest = std::fma(-q, divisor, second) / divisor;
  return {std::fma(a, a, -(a * a)) + 2 * a * a_rest, std::fma(q, q, -(q * q)) + 2 * q * q_rest,
          std::fma(a, q, -(a * q)) + (a * q_rest + q * a_rest)};
}

/// Of units far from the pivot the products are taken to twice a double's digits: their differences are what counts.
/// Whether a unit lies so far from the pivot, by its own spread, that the squares' last digits hold how units differ.
/// Only its own moments decide, so that order and grouping do not matter.
bool far_from_pivot(double a, double q) {
  constexpr double kShare = 1e-4;
  const double square = a * a;
  return q - square < kShare * square;
}

}  // namespace

void Spread::add(std::span<const double> first, std::span<const double> second, double divisor, std::size_t units) {
  if (first.size() != units * channels() || second.size() != units * channels())
    throw ShapeError(fmt::format("{} and {} moments of {} unit(s); expected {} each", first.size(), second.size(),
                                 units, units * channels()));
  constexpr std::size_t kChannels = 32;  // whose products lie in the nearest cache
  std::array<std::array<double, kMostRows * kChannels>, 3> products;
  for (std::size_t c = 0; c < channels(); c += kChannels) {
    const std::size_t many = std::min(kChannels, channels() - c);
    for (std::size_t begin = 0; begin < units; begin += kMostRows) {
      const std::size_t rows = std::min(kMostRows, units - begin), at = begin * channels() + c;
      moment_products(first.data() + at, second.data() + at, divisor, rows, channels(), many, products[0].data(),
                      products[1].data(), products[2].data());
      for (std::size_t k = 0; k < 3; ++k) add_rows(products[k].data(), rows, many, many, &sums_[c][k], 3);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < many; ++i) {
          const double a = first[at + r * channels() + i], q = second[at + r * channels() + i];
          if (!far_from_pivot(a / divisor, q / divisor)) continue;
          const std::array<double, 3> rest = rounded_off(a, q, divisor);
          for (std::size_t k = 0; k < 3; ++k) sums_[c + i][k].add(rest[k]);
        }
    }
  }
  units_ += static_cast<std::int64_t>(units);
}

void Spread::merge(const Spread& other) {
  if (other.channels() != channels())
    throw ShapeError(fmt::format("a spread of {} channels; expected {}", other.channels(), channels()));
  for (std::size_t c = 0; c < channels(); ++c)
    for (std::size_t k = 0; k < 3; ++k) sums_[c][k].merge(other.sums_[c][k]);
  units_ += other.units_;
}

}  // namespace shiftnorm::stats
