#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shiftnorm::stats {

/// Statistics of one BatchNorm, one value per channel, and the affine parameters the policy leaves it with.
struct LayerStatistics {
  std::string name;                    ///< of the layer, as in graph::BatchNorm
  std::vector<double> mean, variance;  ///< activation units, their square
  std::int64_t values = 0;             ///< values per channel that were pooled; 0: not measured
  std::int64_t images = 0, batches = 0;
  /// Policies `identity` and `normalise-only` replace gamma and beta by 1 and 0.
  bool plain_affine = false;
};

using Statistics = std::vector<LayerStatistics>;

}  // namespace shiftnorm::stats
