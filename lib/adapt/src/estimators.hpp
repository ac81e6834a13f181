#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/stats/channel_moments.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::adapt {

/// Combines the moments of batches, given in order, into one estimate per layer (estimators.md B).
class BatchEstimator {
 public:
  /// source: where `ema` starts, and what untouched layers keep.
  BatchEstimator(const Mode& mode, const std::vector<graph::BatchNorm>& layers, const stats::Statistics& source);

  /// One layer of batch number `batch` (from 0) of `images` images.
  /// Errors  Error naming the layer when the batch has one value per channel and the rule needs a sample variance.
  void add(std::size_t layer, std::size_t batch, std::int64_t images, const stats::ChannelMoments& moments);
  [[nodiscard]] stats::Statistics finish() const;

 private:
  const Mode mode_;
  const std::vector<graph::BatchNorm>& layers_;
  stats::Statistics state_;
  std::vector<stats::ChannelMoments> sums_;  ///< see stats::Pooling; empty for the exponential averages
};

}  // namespace shiftnorm::adapt
