#pragma once

#include <algorithm>
#include <span>

namespace shiftnorm::metrics {

/// Linear between order statistics (NumPy's default). Not empty; q in [0, 1].
[[nodiscard]] inline double quantile(std::span<const double> sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace shiftnorm::metrics
