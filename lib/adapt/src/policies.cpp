#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "layer_rule.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::adapt {
namespace {

using stats::LayerStatistics;

/// lambda of the source: given, or N / (N + n) (Schneider et al. 2020, eq. 2).
double source_weight(const Mode& mode, std::int64_t images) {
  if (mode.source_weight) return *mode.source_weight;
  const double prior = *mode.prior_images;
  return prior == 0 ? 0.0 : prior / (prior + static_cast<double>(images));
}

void blend(const LayerStatistics& source, double weight, bool of_mixture, LayerStatistics& target) {
  for (std::size_t c = 0; c < target.mean.size(); ++c) {
    const double apart = source.mean[c] - target.mean[c];
    target.mean[c] = weight * source.mean[c] + (1 - weight) * target.mean[c];
    target.variance[c] = weight * source.variance[c] + (1 - weight) * target.variance[c];
    if (of_mixture) target.variance[c] += weight * (1 - weight) * apart * apart;
  }
}

/// Keeps the target only for the share of channels that moved least; the others go back to the source.
void keep_nearest(const LayerStatistics& source, std::size_t kept, LayerStatistics& target) {
  std::vector<double> distance(target.mean.size());
  for (std::size_t c = 0; c < distance.size(); ++c) {
    const double mean = source.mean[c] - target.mean[c],
                 deviation = std::sqrt(source.variance[c]) - std::sqrt(target.variance[c]);
    distance[c] = mean * mean + deviation * deviation;
  }
  std::vector<std::size_t> order(distance.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return distance[a] < distance[b]; });
  for (std::size_t i = kept; i < order.size(); ++i) {
    target.mean[order[i]] = source.mean[order[i]];
    target.variance[order[i]] = source.variance[order[i]];
  }
}

/// mu = 0 and v + epsilon = 1: the normalisation does nothing.
void switch_off(double epsilon, LayerStatistics& layer) {
  std::fill(layer.mean.begin(), layer.mean.end(), 0.0);
  std::fill(layer.variance.begin(), layer.variance.end(), 1 - epsilon);
}

void apply(const Mode& mode, const graph::BatchNorm& layer, std::size_t index, std::size_t count,
           const LayerStatistics& source, std::int64_t images, LayerStatistics& target) {
  switch (mode.policy) {
    case Policy::source: target = source; return;
    case Policy::adabn: return;
    case Policy::blend: return blend(source, source_weight(mode, images), false, target);
    case Policy::mixture: return blend(source, source_weight(mode, images), true, target);
    case Policy::mean_only: target.variance = source.variance; return;
    case Policy::variance_only: target.mean = source.mean; return;
    case Policy::hybrid_decay: {
      // 1 - l/(L-1) of C channels, rounded down, in integers: C (L-1-l) / (L-1).
      const std::size_t channels = target.mean.size();
      return keep_nearest(source, count < 2 ? channels : channels * (count - 1 - index) / (count - 1), target);
    }
    case Policy::matched:
      if (target.values == 0) {  // no output depends on it
        target = source;
        return;
      }
      return match(*mode.mixture, index, layer.epsilon, source, target);
    case Policy::disabled: return switch_off(layer.epsilon, target);
    case Policy::identity:
      switch_off(layer.epsilon, target);
      target.plain_affine = true;
      return;
    case Policy::normalise_only:
      target = source;
      target.plain_affine = true;
      return;
    case Policy::batch:
    case Policy::instance: break;
  }
  throw ConfigError(fmt::format("policy {} has no fixed statistics: each group of images is normalised with its own",
                                name_of(mode.policy)));
}

}  // namespace

stats::Statistics apply_policy(const Mode& mode, const std::vector<graph::BatchNorm>& layers,
                               const stats::Statistics& source, const stats::Statistics& target, std::int64_t images) {
  const std::vector<bool> takes_part = chosen(mode.layers, layers);
  stats::Statistics out = target;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (takes_part[i]) {
      apply(mode, layers[i], i, layers.size(), source[i], images, out[i]);
    } else {
      out[i] = source[i];
    }
    out[i].sums = {};  // a policy's result is no longer what they add up to
    out[i].spread = {};
  }
  return out;
}

}  // namespace shiftnorm::adapt
