#pragma once

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::metrics {

/// ShapeError unless sizes fit and every label is a class.
void check(const Predictions& predictions);
/// ShapeError unless both are about the same images: equal classes and labels.
void check_pair(const Predictions& a, const Predictions& b);

}  // namespace shiftnorm::metrics
