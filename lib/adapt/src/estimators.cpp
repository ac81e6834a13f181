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
    : mode_(mode), layers_(layers), state_(source), pooled_(layers.size()) {
  const bool zero = mode.estimator == Estimator::batch_mean || mode.estimator == Estimator::ema_reset;
  for (stats::LayerStatistics& layer : state_) {
    if (zero) {
      layer.mean.assign(layer.mean.size(), 0.0);
      layer.variance.assign(layer.variance.size(), mode.estimator == Estimator::ema_reset ? 1.0 : 0.0);
    }
  }
}

void BatchEstimator::add(std::size_t layer, std::size_t batch, std::int64_t images,
                         const stats::ChannelMoments& moments) {
  stats::LayerStatistics& state = state_[layer];
  state.values += moments.values();
  state.images += images;
  state.batches += 1;
  if (mode_.estimator == Estimator::population) {
    if (pooled_[layer].channels() == 0) pooled_[layer] = stats::ChannelMoments(moments.pivot());
    pooled_[layer].merge(moments);
    return;
  }
  if (moments.values() < 2)
    throw Error(
        fmt::format("layer '{}': a batch has one value per channel, so that estimator {} has no sample variance; "
                    "expected larger batches",
                    layers_[layer].name, name_of(mode_.estimator)));
  const std::vector<double> mean = moments.mean(), variance = moments.variance(stats::Divisor::sample);
  const bool plain_mean = mode_.estimator == Estimator::batch_mean;
  const double p = plain_mean ? 1.0 : momentum_of(mode_, layers_[layer], batch), old = plain_mean ? 1.0 : 1.0 - p;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    state.mean[c] = old * state.mean[c] + p * mean[c];
    state.variance[c] = old * state.variance[c] + p * variance[c];
  }
}

stats::Statistics BatchEstimator::finish() const {
  stats::Statistics out = state_;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].batches == 0) continue;
    if (mode_.estimator == Estimator::population) {
      out[i].mean = pooled_[i].mean();
      out[i].variance = pooled_[i].variance(stats::Divisor::population);
    } else if (mode_.estimator == Estimator::batch_mean) {
      for (std::size_t c = 0; c < out[i].mean.size(); ++c) {
        out[i].mean[c] /= static_cast<double>(out[i].batches);
        out[i].variance[c] /= static_cast<double>(out[i].batches);
      }
    }
  }
  return out;
}

}  // namespace shiftnorm::adapt
