#include <algorithm>
#include <cmath>
#include <numeric>

#include "normal.hpp"
#include "quantile.hpp"
#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::metrics {

std::optional<Interval> bca_interval(std::span<const double> values, double point, std::span<const double> jackknife,
                                     double level) {
  if (values.size() < 2 || jackknife.size() < 2) return std::nullopt;
  const auto below = std::ranges::lower_bound(values, point) - values.begin();
  const auto up_to = std::ranges::upper_bound(values, point) - values.begin();
  const double bias = normal_quantile(static_cast<double>(below + up_to) / (2 * static_cast<double>(values.size())));
  const double mean = std::accumulate(jackknife.begin(), jackknife.end(), 0.0) / static_cast<double>(jackknife.size());
  double square = 0, cube = 0;
  for (const double v : jackknife) {
    square += (mean - v) * (mean - v);
    cube += (mean - v) * (mean - v) * (mean - v);
  }
  const double acceleration = square > 0 ? cube / (6 * std::pow(square, 1.5)) : 0;
  const auto moved = [&](double q) {
    const double z = bias + normal_quantile(q);
    return normal_cdf(bias + z / (1 - acceleration * z));
  };
  const double low = moved((1 - level) / 2), high = moved((1 + level) / 2);
  if (!std::isfinite(bias) || !std::isfinite(low) || !std::isfinite(high)) return std::nullopt;
  return Interval{quantile(values, low), quantile(values, high)};
}

}  // namespace shiftnorm::metrics
