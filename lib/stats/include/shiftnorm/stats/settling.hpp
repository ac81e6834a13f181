#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::stats {

/// How far the estimate of one layer may lie from what endlessly many such images would give, and whether that matters.
///   e^2 = (se(mean)^2 + se(deviation)^2) / v   per channel, from the spread of the moments of single images (or
///   batches); error = root of the mean of e^2 over the channels that are not constant, in standard deviations of the
///   target. A channel of less than least_variance() counts by its share v / least_variance() of one, so that its
///   deviations are measured in those of the layer: nearly constant ones say nothing by their own.
/// By the delta method, with a and q an image's moments around the pivot and A, Q their means (v = Q - A^2):
///   se(mean)^2 = var(a) / n,  se(deviation)^2 = var(q - 2 A a) / (4 v n);  for batches q is their variance, and 4 v n
///   divides var(q) alone.
/// A layer's error takes what lies before it as given: in a layerwise estimate earlier layers add theirs.
struct LayerSettling {
  std::string name;
  double error = std::numeric_limits<double>::quiet_NaN();  ///< NaN: unknown (one unit, or no sums)
  double shift = std::numeric_limits<double>::quiet_NaN();  ///< 2-Wasserstein distance source-target in the same unit
};

/// A thousandth of the mean variance of a layer's channels: what deviations of nearly constant ones are measured in.
[[nodiscard]] double least_variance(std::span<const double> variances);

/// A layer has settled when its error is below this. Chosen on real images: docs/study.md.
inline constexpr double kSettled = 0.1;

/// One entry per measured layer, in the order of the layers. `source`: for `shift`; may be empty.
[[nodiscard]] std::vector<LayerSettling> settling(Pooling pooling, const Statistics& target, const Statistics& source);

/// The layer that has settled least: the largest error; an unknown one counts as largest. Null if there is
/// none.
[[nodiscard]] const LayerSettling* least_settled(std::span<const LayerSettling> layers);

/// The prior (in images) of the blend that shrinks the estimate by its own uncertainty: with n images of error e and a
/// true shift D^2 = shift^2 - e^2, the weight e^2 / (e^2 + D^2) of the source is the one of least expected square error
/// (James and Stein 1961), and N = n e^2 / D^2 gives it as lambda = N / (N + n). Over the layers e^2 and D^2 are
/// averaged. Null if nothing is known, or if the shift is not larger than the error: then nothing was learned.
[[nodiscard]] std::optional<double> shrinking_prior(std::span<const LayerSettling> layers, std::int64_t images);

}  // namespace shiftnorm::stats
