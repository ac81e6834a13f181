#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::stats {

/// How far the statistics of one layer moved, each channel taken as a Gaussian N(mean, variance).
/// Channels whose variance is 0 on either side have neither ratio nor divergence: they are counted in `constant` and
/// left out of the first three; NaN if no channel is left. Those of less than least_variance() of their side count as
/// having that: in its own deviations one nearly constant channel would dominate the layer.
/// Source  KL of two Gaussians: log(s2/s1) + (v1 + (m1 - m2)^2) / (2 v2) - 1/2 (Cover and Thomas, Elements of
///         Information Theory, 2nd ed., ch. 8); 2-Wasserstein: Dowson and Landau 1982.
struct LayerDistance {
  std::string name;
  double mean_shift = 0;      ///< mean over channels of |mean_b - mean_a| in standard deviations of a
  double variance_ratio = 1;  ///< geometric mean over channels of variance_b / variance_a
  double symmetric_kl = 0;    ///< mean over channels of KL(a, b) + KL(b, a), nats
  double wasserstein = 0;     ///< root mean square over channels, activation units
  std::int64_t constant = 0;  ///< channels left out
};

/// From `a` (the source) to `b`, in the order of the layers. Throws ShapeError naming the first layer that differs.
[[nodiscard]] std::vector<LayerDistance> distances(const Statistics& a, const Statistics& b);

}  // namespace shiftnorm::stats
