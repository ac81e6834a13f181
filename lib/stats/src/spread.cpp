#include "shiftnorm/stats/spread.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {

void Spread::add(std::span<const double> first, std::span<const double> second, double divisor) {
  if (first.size() != channels() || second.size() != channels())
    throw ShapeError(
        fmt::format("moments of {} and {} channels; expected {}", first.size(), second.size(), channels()));
  for (std::size_t c = 0; c < channels(); ++c) {
    const double a = first[c] / divisor, q = second[c] / divisor;
    sums_[c][0].add(a * a);
    sums_[c][1].add(q * q);
    sums_[c][2].add(a * q);
  }
  ++units_;
}

void Spread::merge(const Spread& other) {
  if (other.channels() != channels())
    throw ShapeError(fmt::format("a spread of {} channels; expected {}", other.channels(), channels()));
  for (std::size_t c = 0; c < channels(); ++c)
    for (std::size_t k = 0; k < 3; ++k) sums_[c][k].merge(other.sums_[c][k]);
  units_ += other.units_;
}

}  // namespace shiftnorm::stats
