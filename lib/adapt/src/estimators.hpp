#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/exec/sweep.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/stats/channel_moments.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::adapt {

/// Combines the moments of batches, given in order, into one estimate per layer
/// (docs/reference/estimators.md#estimators).
class BatchEstimator {
 public:
  /// start: the source, where `ema` starts and what untouched layers keep; or what finish() gave after some batches.
  BatchEstimator(const Mode& mode, const std::vector<graph::BatchNorm>& layers, const stats::Statistics& start);

  /// Batches that the start had seen already.
  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }

  /// One layer of batch number `batch` (from 0) of `images` images; `uses`: its applications, in graph order. An
  /// exponential average takes a step for each, `batch-mean` their mean, as PyTorch's cumulative average comes to.
  /// Errors  ConfigError naming the layer when there is one value per channel and the rule needs a sample variance.
  void add(std::size_t layer, std::size_t batch, std::int64_t images, std::span<const exec::LevelMoments> uses);
  [[nodiscard]] stats::Statistics finish() const;

 private:
  const Mode mode_;
  const std::vector<graph::BatchNorm>& layers_;
  stats::Statistics state_;  ///< its sums and spread: see stats::Pooling; empty for the exponential averages
  std::size_t batches_ = 0;
};

}  // namespace shiftnorm::adapt
