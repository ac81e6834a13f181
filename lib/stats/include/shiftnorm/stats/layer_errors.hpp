#pragma once

#include <vector>

#include "shiftnorm/stats/statistics_file.hpp"

namespace shiftnorm::stats {

/// For each layer of a file what its estimate may be off by (LayerSettling::error); NaN where it was not measured or
/// that cannot be told. Errors  FormatError for an unknown combination of semantics and estimator.
[[nodiscard]] std::vector<double> layer_errors(const StatisticsFile& file);

}  // namespace shiftnorm::stats
