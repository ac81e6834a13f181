#include "shiftnorm/stats/settling.hpp"

#include <algorithm>
#include <cmath>

namespace shiftnorm::stats {
namespace {

struct Squares {
  double mean = 0;
  std::int64_t channels = 0;
  void add(double square) { mean += (square - mean) / static_cast<double>(++channels); }
};

/// e^2 of one channel whose variance is v > 0; `units` are independent ones.
double error_square(Pooling pooling, const LayerStatistics& layer, std::size_t c, long double units) {
  const auto count = static_cast<long double>(layer.spread.units());
  const long double of = pooling == Pooling::values ? static_cast<long double>(layer.values) : count;
  const long double a = layer.sums.sums()[c].value() / of, q = layer.sums.squares()[c].value() / of;
  const auto& sums = layer.spread.products()[c];
  const auto covariance = [&](std::size_t k, long double product) {
    return (sums[k].value() - count * product) / (count - 1);
  };
  const long double aa = covariance(0, a * a), qq = covariance(1, q * q), aq = covariance(2, a * q);
  const long double v = layer.variance[c];
  const long double deviation = pooling == Pooling::values ? qq - 4 * a * aq + 4 * a * a * aa : qq;
  return static_cast<double>(std::max(0.0L, (aa + deviation / (4 * v)) / (units * v)));
}

}  // namespace

std::vector<LayerSettling> settling(Pooling pooling, const Statistics& target, const Statistics& source) {
  std::vector<LayerSettling> out;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const LayerStatistics& layer = target[i];
    if (layer.values == 0) continue;
    LayerSettling& one = out.emplace_back();
    one.name = layer.name;
    // Two uses of one image are not independent of each other: images count, not uses.
    const std::int64_t units = pooling == Pooling::batches ? layer.batches : layer.images;
    const bool told = units >= 2 && layer.spread.units() >= 2 && layer.sums.channels() > 0;
    Squares error, shift;
    for (std::size_t c = 0; c < layer.mean.size(); ++c) {
      if (!(layer.variance[c] > 0)) continue;
      if (told) error.add(error_square(pooling, layer, c, static_cast<long double>(units)));
      if (i >= source.size()) continue;
      const double apart = layer.mean[c] - source[i].mean[c],
                   deviations = std::sqrt(layer.variance[c]) - std::sqrt(source[i].variance[c]);
      shift.add((apart * apart + deviations * deviations) / layer.variance[c]);
    }
    if (error.channels > 0) one.error = std::sqrt(error.mean);
    if (shift.channels > 0) one.shift = std::sqrt(shift.mean);
  }
  return out;
}

const LayerSettling* least_settled(std::span<const LayerSettling> layers) {
  const auto worse = [](const LayerSettling& a, const LayerSettling& b) {
    return !std::isnan(a.error) && (std::isnan(b.error) || a.error < b.error);
  };
  const auto found = std::max_element(layers.begin(), layers.end(), worse);
  return found == layers.end() ? nullptr : &*found;
}

std::optional<double> shrinking_prior(std::span<const LayerSettling> layers, std::int64_t images) {
  Squares error, shift;
  for (const LayerSettling& layer : layers) {
    if (!std::isfinite(layer.error) || !std::isfinite(layer.shift)) continue;
    error.add(layer.error * layer.error);
    shift.add(layer.shift * layer.shift);
  }
  if (error.channels == 0 || !(shift.mean > error.mean)) return std::nullopt;
  return static_cast<double>(images) * error.mean / (shift.mean - error.mean);
}

}  // namespace shiftnorm::stats
