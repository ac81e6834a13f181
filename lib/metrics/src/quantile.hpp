#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace shiftnorm::metrics {

/// Linear between order statistics (NumPy's default). Not empty; q in [0, 1].
[[nodiscard]] inline double quantile(std::span<const double> sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

[[nodiscard]] inline double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Root of the mean squared distance from the mean.
[[nodiscard]] inline double deviation(std::span<const double> values) {
  const double centre = mean(values);
  double square = 0;
  for (const double v : values) square += (v - centre) * (v - centre);
  return std::sqrt(square / static_cast<double>(values.size()));
}

}  // namespace shiftnorm::metrics
