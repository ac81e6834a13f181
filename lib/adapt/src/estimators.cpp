#include "estimators.hpp"

#include <fmt/format.h>

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
                               const stats::Statistics& source)
    : mode_(mode), layers_(layers), state_(source), sums_(layers.size()) {}

void BatchEstimator::add(std::size_t layer, std::size_t batch, std::int64_t images,
                         const stats::ChannelMoments& moments) {
  stats::LayerStatistics& state = state_[layer];
  state.values += moments.values();
  state.images += images;
  state.batches += 1;
  if (mode_.estimator == Estimator::population) {
    if (sums_[layer].channels() == 0) sums_[layer] = stats::ChannelMoments(moments.pivot());
    sums_[layer].merge(moments);
    return;
  }
  const graph::BatchNorm& set = layers_[layer];
  const bool averages = mode_.estimator != Estimator::batch_mean;
  const bool whole = averages && set.stored_variance == graph::StoredVariance::population;
  if (moments.values() < 2 && !whole)
    throw Error(
        fmt::format("layer '{}': a batch has one value per channel, so that estimator {} has no sample variance; "
                    "expected larger batches",
                    set.name, name_of(mode_.estimator)));
  const std::vector<double> mean = moments.mean();
  std::vector<double> variance = moments.variance(averages ? stats::Divisor::population : stats::Divisor::sample);
  if (averages)
    for (double& v : variance) v *= graph::stored_factor(set, moments.values());
  if (mode_.estimator == Estimator::batch_mean) {
    if (sums_[layer].channels() == 0) sums_[layer] = stats::ChannelMoments(std::vector<float>(mean.size(), 0.0f));
    sums_[layer].add_image(mean, variance, moments.values());
    return;
  }
  if (mode_.estimator == Estimator::ema_reset && state.batches == 1) {
    state.mean.assign(mean.size(), 0.0);
    state.variance.assign(mean.size(), 1.0);
  }
  const double p = momentum_of(mode_, set, batch), old = 1.0 - p;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    state.mean[c] = old * state.mean[c] + p * mean[c];
    state.variance[c] = old * state.variance[c] + p * variance[c];
  }
}

stats::Statistics BatchEstimator::finish() const {
  stats::Statistics out = state_;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (sums_[i].channels() == 0) continue;
    out[i].sums = sums_[i];
    stats::estimate(mode_.estimator == Estimator::population ? stats::Pooling::values : stats::Pooling::batches,
                    out[i]);
  }
  return out;
}

}  // namespace shiftnorm::adapt
