#include "normal.hpp"

#include <cmath>
#include <limits>
#include <numbers>

namespace shiftnorm::metrics {

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double normal_quantile(double p) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!(p > 0)) return p == 0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
  if (!(p < 1)) return p == 1 ? kInfinity : std::numeric_limits<double>::quiet_NaN();
  if (p > 0.5) return -normal_quantile(1 - p);
  // Newton's method in the lower half, where erfc keeps its relative precision. The function is convex there, so from
  // the bound p <= exp(-x^2/2)/2 on it never overshoots.
  double x = -std::sqrt(-2 * std::log(2 * p));
  for (int step = 0; step < 100; ++step) {
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double change = (normal_cdf(x) - p) / density;
    x -= change;
    if (std::abs(change) <= 1e-15 * std::abs(x)) break;
  }
  return x;
}

}  // namespace shiftnorm::metrics
