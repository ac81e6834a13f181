#include "estimators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::adapt {
namespace {

/// Weight of batch k (from 0) in an exponential average.
double momentum_of(const Mode& mode, const graph::BatchNorm& layer, std::size_t batch) {
  if (mode.estimator == Estimator::dua)
    return 0.1 * std::pow(0.94, static_cast<double>(batch + 1)) + 0.005;  // Mirza et al. 2022
  return mode.momentum.value_or(layer.momentum);
}

}  // namespace

BatchEstimator::BatchEstimator(const Mode& mode, const std::vector<graph::BatchNorm>& layers,
                               const stats::Statistics& start)
    : mode_(mode), layers_(layers), state_(start) {
  for (const stats::LayerStatistics& layer : state_)
    batches_ = std::max(batches_, static_cast<std::size_t>(layer.batches));
}

void BatchEstimator::add(std::size_t layer, std::size_t batch, std::int64_t images,
                         std::span<const exec::LevelMoments> uses) {
  stats::LayerStatistics& state = state_[layer];
  const bool first = state.values == 0;
  for (const exec::LevelMoments& use : uses) state.values += use.moments.values();
  state.images += images;
  state.batches += 1;
  if (mode_.estimator == Estimator::population) {
    for (const exec::LevelMoments& use : uses) {
      if (state.sums.channels() == 0) {
        state.sums = stats::ChannelMoments(use.moments.pivot());
        state.spread = stats::Spread(state.mean.size());
      }
      state.sums.merge(use.moments);
      state.spread.merge(use.spread);
    }
    return;
  }
  const graph::BatchNorm& set = layers_[layer];
  const bool averages = mode_.estimator != Estimator::batch_mean;
  const bool whole = averages && set.stored_variance == graph::StoredVariance::population;
  std::vector<double> mean_of_uses(state.mean.size(), 0.0), variance_of_uses(state.mean.size(), 0.0);
  const double p = momentum_of(mode_, set, batch), old = 1.0 - p;
  if (mode_.estimator == Estimator::ema_reset && first) {
    state.mean.assign(state.mean.size(), 0.0);
    state.variance.assign(state.mean.size(), 1.0);
  }
  for (const exec::LevelMoments& use : uses) {
    if (use.moments.values() < 2 && !whole)
      throw ConfigError(
          fmt::format("layer '{}': a batch has one value per channel, so that estimator {} has no sample variance; "
                      "expected larger batches",
                      set.name, name_of(mode_.estimator)));
    const std::vector<double> mean = use.moments.mean();
    std::vector<double> variance = use.moments.variance(averages ? stats::Divisor::population : stats::Divisor::sample);
    if (averages)
      for (double& v : variance) v *= graph::stored_factor(set, use.moments.values());
    const auto count = static_cast<double>(uses.size());
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean_of_uses[c] += mean[c] / count;
      variance_of_uses[c] += variance[c] / count;
      if (mode_.estimator == Estimator::batch_mean) continue;
      state.mean[c] = old * state.mean[c] + p * mean[c];
      state.variance[c] = old * state.variance[c] + p * variance[c];
    }
  }
  if (mode_.estimator != Estimator::batch_mean) return;
  if (state.sums.channels() == 0) {
    state.sums = stats::ChannelMoments(std::vector<float>(state.mean.size(), 0.0f));
    state.spread = stats::Spread(state.mean.size());
  }
  std::int64_t values = 0;
  for (const exec::LevelMoments& use : uses) values += use.moments.values();
  state.sums.add_image(mean_of_uses, variance_of_uses, values);
  state.spread.add(mean_of_uses, variance_of_uses, 1);
}

stats::Statistics BatchEstimator::finish() const {
  stats::Statistics out = state_;
  for (stats::LayerStatistics& layer : out)
    if (layer.sums.channels() > 0)
      stats::estimate(mode_.estimator == Estimator::population ? stats::Pooling::values : stats::Pooling::batches,
                      layer);
  return out;
}

}  // namespace shiftnorm::adapt
