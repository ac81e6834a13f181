#include <algorithm>
#include <cmath>
#include <numeric>

#include "normal.hpp"
#include "quantile.hpp"
#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::metrics {
namespace {

/// From the skewness of the jackknife; 0 where there is none.
double acceleration_of(std::span<const double> jackknife) {
  if (jackknife.size() < 2) return 0;
  const double mean = std::accumulate(jackknife.begin(), jackknife.end(), 0.0) / static_cast<double>(jackknife.size());
  double square = 0, cube = 0;
  for (const double v : jackknife) {
    square += (mean - v) * (mean - v);
    cube += (mean - v) * (mean - v) * (mean - v);
  }
  const double acceleration = square > 0 ? cube / (6 * std::pow(square, 1.5)) : 0;
  return std::isfinite(acceleration) ? acceleration : 0;
}

}  // namespace

std::optional<Interval> bca_interval(std::span<const double> values, double point, std::span<const double> jackknife,
                                     double level) {
  if (values.size() < 2) return std::nullopt;
  const auto below = std::ranges::lower_bound(values, point) - values.begin();
  const auto up_to = std::ranges::upper_bound(values, point) - values.begin();
  const double bias = normal_quantile(static_cast<double>(below + up_to) / (2 * static_cast<double>(values.size())));
  if (!std::isfinite(bias)) return std::nullopt;
  const double acceleration = acceleration_of(jackknife);
  const auto moved = [&](double q) {
    const double z = bias + normal_quantile(q);
    // At 1 - acceleration * z = 0 the quantile has reached the end; beyond it the formula would come back from the
    // other.
    const double room = 1 - acceleration * z;
    if (room <= 0) return z > 0 ? 1.0 : 0.0;
    return normal_cdf(bias + z / room);
  };
  return Interval{quantile(values, moved((1 - level) / 2)), quantile(values, moved((1 + level) / 2))};
}

}  // namespace shiftnorm::metrics
