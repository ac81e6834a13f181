#pragma once

#include "shiftnorm/metrics/metrics.hpp"

namespace shiftnorm::metrics {

/// Of two classes, with at least one image of each and no NaN. From midranks (Sun & Xu 2014), n log n.
[[nodiscard]] Placements placements_of(const Predictions& data);

}  // namespace shiftnorm::metrics
