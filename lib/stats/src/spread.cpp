#include "shiftnorm/stats/spread.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::stats {

void Spread::add(std::span<const double> first, std::span<const double> second, double divisor, std::size_t units) {
  if (first.size() != units * channels() || second.size() != units * channels())
    throw ShapeError(fmt::format("{} and {} moments of {} unit(s); expected {} each", first.size(), second.size(),
                                 units, units * channels()));
  constexpr std::size_t kRows = 32, kChannels = 32;
  std::array<std::array<double, kRows * kChannels>, 3> products{};
  for (std::size_t c = 0; c < channels(); c += kChannels) {
    const std::size_t many = std::min(kChannels, channels() - c);
    for (std::size_t begin = 0; begin < units; begin += kRows) {
      const std::size_t rows = std::min(kRows, units - begin);
      for (std::size_t r = 0; r < rows; ++r) {
        const double *from_a = first.data() + (begin + r) * channels() + c,
                     *from_q = second.data() + (begin + r) * channels() + c;
        for (std::size_t i = 0; i < many; ++i) {
          const double a = from_a[i] / divisor, q = from_q[i] / divisor;
          products[0][r * kChannels + i] = a * a;
          products[1][r * kChannels + i] = q * q;
          products[2][r * kChannels + i] = a * q;
        }
      }
      for (std::size_t k = 0; k < 3; ++k) add_rows(products[k].data(), rows, kChannels, many, &sums_[c][k], 3);
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
