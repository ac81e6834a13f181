#include <algorithm>
#include <cmath>

#include "closed_intervals.hpp"
#include "normal.hpp"

namespace shiftnorm::metrics {

Interval wilson_interval(double share, double images, double level) {
  const double z = normal_quantile((1 + level) / 2), square = z * z;
  const double centre = (share + square / (2 * images)) / (1 + square / images);
  const double half =
      z / (1 + square / images) * std::sqrt(share * (1 - share) / images + square / (4 * images * images));
  // All or none of the images: rounding must not leave the end.
  return {share <= 0 ? 0 : std::max(0.0, centre - half), share >= 1 ? 1 : std::min(1.0, centre + half)};
}

Interval difference_of(double a, Interval of_a, double b, Interval of_b, double correlation) {
  const auto distance = [&](double one, double other) {
    return std::sqrt(std::max(0.0, one * one + other * other - 2 * correlation * one * other));
  };
  return {b - a - distance(b - of_b.low, of_a.high - a), b - a + distance(of_b.high - b, a - of_a.low)};
}

Interval newcombe_interval(double both, double only_first, double only_second, double neither, double level) {
  const double images = both + only_first + only_second + neither;
  const double first = both + only_first, second = both + only_second;
  const double spread = first * (images - first) * second * (images - second);
  // Newcombe's continuity correction: half the images are taken off a positive association, down to none.
  double association = both * neither - only_first * only_second;
  if (association > 0) association = std::max(0.0, association - images / 2);
  return difference_of(first / images, wilson_interval(first / images, images, level), second / images,
                       wilson_interval(second / images, images, level),
                       spread > 0 ? association / std::sqrt(spread) : 0);
}

}  // namespace shiftnorm::metrics
