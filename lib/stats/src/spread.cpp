#include "shiftnorm/stats/spread.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "row_sums.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {

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
