#include "shiftnorm/stats/settling.hpp"

#include <algorithm>
#include <cmath>

#include "exact_product.hpp"

namespace shiftnorm::stats {
namespace {

struct Squares {
  double sum = 0, weights = 0;
  void add(double square, double weight = 1) {
    sum += weight * square;
    weights += weight;
  }
  [[nodiscard]] bool known() const { return weights > 0; }
  [[nodiscard]] double mean() const { return sum / weights; }
};

/// The moments of one channel's units: the sums of a, q, a^2, q^2 and aq over `units` of them. Differences between
/// units are far smaller than the moments where a channel is nearly constant and far from its pivot, so that all is
/// multiplied and subtracted without rounding.
class Units {
 public:
  Units(Pooling pooling, const LayerStatistics& layer, std::size_t c)
      : sums_(layer.spread.products()[c]), first_(layer.sums.sums()[c]), second_(layer.sums.squares()[c]) {
    units_ = static_cast<double>(layer.spread.units());
    // Sums of values are `plane` times those of the units' means.
    weight_ = pooling == Pooling::values ? static_cast<double>(layer.values) : units_;
    plane_ = weight_ / units_;
  }

  [[nodiscard]] double mean_of_first() const { return static_cast<double>(first_.value() / weight_); }

  /// Sample variance over the units of q_share * q + a_share * a.
  [[nodiscard]] long double variance_of(double q_share, double a_share) const {
    ExactSum sum = times(second_, q_share);
    sum.merge(times(first_, a_share));
    const auto centre = static_cast<double>(sum.value() / weight_);
    ExactSum weight;
    weight.add(weight_);
    ExactSum squares = times(times(times(sums_[1], q_share), q_share), plane_);
    squares.merge(times(times(times(sums_[0], a_share), a_share), plane_));
    squares.merge(times(times(times(sums_[2], 2 * q_share), a_share), plane_));
    squares.merge(times(sum, -2 * centre));
    squares.merge(times(times(weight, centre), centre));
    sum.merge(times(weight, -centre));
    const long double left = sum.value() / plane_;
    return (squares.value() / plane_ - left * left / units_) / (units_ - 1);
  }

 private:
  const std::array<ExactSum, 3>& sums_;
  const ExactSum &first_, &second_;
  double units_ = 0, weight_ = 0, plane_ = 1;
};

/// (se(mean)^2 + se(deviation)^2) of one channel whose variance is v > 0; `independent` units.
double error_square(Pooling pooling, const LayerStatistics& layer, std::size_t c, std::int64_t independent) {
  const Units units(pooling, layer, c);
  const long double v = layer.variance[c], n = static_cast<long double>(layer.spread.units());
  long double means = units.variance_of(0, 1);
  const long double moments = units.variance_of(1, pooling == Pooling::values ? -2 * units.mean_of_first() : 0);
  // No more than values of variance v can bring about: sums in files of earlier versions are rounded.
  if (pooling == Pooling::values) means = std::min(means, v * n / (n - 1));
  const long double deviations = std::clamp(moments, 0.0L, n * v * v) / (4 * v);
  return static_cast<double>((std::max(means, 0.0L) + deviations) / static_cast<long double>(independent));
}

}  // namespace

double least_variance(std::span<const double> variances) {
  constexpr double kShare = 1e-3;
  double mean = 0;
  for (const double v : variances) mean += v / static_cast<double>(variances.size());
  return kShare * mean;
}

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
    const double least = least_variance(layer.variance);
    Squares error, shift;
    for (std::size_t c = 0; c < layer.mean.size(); ++c) {
      const double v = layer.variance[c];
      if (!(v > 0)) continue;
      const double unit = std::max(v, least), weight = v / unit;
      if (told) error.add(error_square(pooling, layer, c, units) / v, weight);
      if (i >= source.size()) continue;
      const double apart = layer.mean[c] - source[i].mean[c],
                   deviations = std::sqrt(v) - std::sqrt(source[i].variance[c]);
      shift.add((apart * apart + deviations * deviations) / v, weight);
    }
    if (error.known()) one.error = std::sqrt(error.mean());
    if (shift.known()) one.shift = std::sqrt(shift.mean());
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
  if (!error.known() || !(shift.mean() > error.mean())) return std::nullopt;
  return static_cast<double>(images) * error.mean() / (shift.mean() - error.mean());
}

}  // namespace shiftnorm::stats
