#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shiftnorm/stats/channel_moments.hpp"
#include "shiftnorm/stats/spread.hpp"

namespace shiftnorm::stats {

/// What a layer's exact sums are sums of, and so how mean and variance come out of them.
enum class Pooling {
  none,    ///< no sums: an exponential average depends on the order of its batches
  values,  ///< of (x - pivot) and its square over every value
  batches  ///< of each batch's mean and sample variance (the pivot is 0): each batch counts once
};

/// Statistics of one BatchNorm, one value per channel, and the affine parameters the policy leaves it with.
struct LayerStatistics {
  std::string name;                    ///< of the layer, as in graph::BatchNorm
  std::vector<double> mean, variance;  ///< activation units, their square
  std::int64_t values = 0;             ///< values per channel that were pooled; 0: not measured
  std::int64_t images = 0, batches = 0;
  /// Policies `identity` and `normalise-only` replace gamma and beta by 1 and 0.
  bool plain_affine = false;
  /// What mean and variance were taken from, where estimates can be merged; no channels elsewhere.
  ChannelMoments sums = {};
  /// Of single images (Pooling::values) or batches (Pooling::batches) around it; no channels where it is not known.
  Spread spread = {};
};

using Statistics = std::vector<LayerStatistics>;

/// Sets mean and variance of a layer from its sums, with the divisors that docs/reference/estimators.md#estimators
/// gives `population` (values) and `batch-mean` (batches). The layer has sums, values and batches.
void estimate(Pooling pooling, LayerStatistics& layer);

}  // namespace shiftnorm::stats
