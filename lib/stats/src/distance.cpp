#include "shiftnorm/stats/distance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/stats/settling.hpp"

namespace shiftnorm::stats {
namespace {

LayerDistance distance(const LayerStatistics& a, const LayerStatistics& b) {
  LayerDistance out;
  out.name = a.name;
  double shift = 0, log_ratio = 0, divergence = 0, transport = 0;
  const double least_a = least_variance(a.variance), least_b = least_variance(b.variance);
  std::size_t compared = 0;
  for (std::size_t c = 0; c < a.mean.size(); ++c) {
    const double apart = b.mean[c] - a.mean[c], square = apart * apart;
    const double deviations = std::sqrt(b.variance[c]) - std::sqrt(a.variance[c]);
    transport += square + deviations * deviations;
    if (!(a.variance[c] > 0 && b.variance[c] > 0)) {
      ++out.constant;
      continue;
    }
    const double va = std::max(a.variance[c], least_a), vb = std::max(b.variance[c], least_b);
    ++compared;
    shift += std::abs(apart) / std::sqrt(va);
    log_ratio += std::log(vb) - std::log(va);
    divergence += 0.5 * ((va + square) / vb + (vb + square) / va) - 1;  // the logarithms cancel
  }
  const auto n = compared > 0 ? static_cast<double>(compared) : std::numeric_limits<double>::quiet_NaN();
  out.mean_shift = shift / n;
  out.variance_ratio = std::exp(log_ratio / n);
  out.symmetric_kl = divergence / n;
  out.wasserstein = std::sqrt(transport / static_cast<double>(a.mean.size()));
  return out;
}

}  // namespace

std::vector<LayerDistance> distances(const Statistics& a, const Statistics& b) {
  if (a.size() != b.size()) throw ShapeError(fmt::format("{} layers; expected {}", b.size(), a.size()));
  std::vector<LayerDistance> out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].mean.size() != b[i].mean.size())
      throw ShapeError(fmt::format("layer '{}' with {} channels; expected '{}' with {}", printable(b[i].name),
                                   b[i].mean.size(), printable(a[i].name), a[i].mean.size()));
    out.push_back(distance(a[i], b[i]));
  }
  return out;
}

}  // namespace shiftnorm::stats
