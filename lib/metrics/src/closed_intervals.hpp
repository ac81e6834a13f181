#pragma once

#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::metrics {

/// Interval of b - a from an interval of each: distances added as independent errors are, less what correlates
/// (MOVER: Zou & Donner 2008).
[[nodiscard]] Interval difference_of(double a, Interval of_a, double b, Interval of_b, double correlation);

/// With the interval of `delong()`, from placements of at least one image of each class.
[[nodiscard]] DeLong delong(const Placements& placements, double level);
/// From placements of at least two images of each class.
[[nodiscard]] DeLongDifference delong_paired(const Placements& a, const Placements& b, double level);

}  // namespace shiftnorm::metrics
