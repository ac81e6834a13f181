#include "shiftnorm/metrics/label_shift.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace shiftnorm::metrics {
namespace {

/// Below, a share of the source would multiply what may be a stray probability.
constexpr double kLeastSourceShare = 1e-3;
/// Of least variances and mean squares, so that dead channels have a unit.
constexpr double kLeastSpread = 1e-6;
/// The second moments count half: a shift of contrast moves them most.
constexpr double kSquareWeight = 0.5;
/// Of the row that asks for a sum of 1.
constexpr double kSumWeight = 10;

using Matrix = Eigen::Map<const Eigen::MatrixXd>;
using Vector = Eigen::Map<const Eigen::VectorXd>;

/// Usable rows by their values: sums over them have the same bits in whatever order they came.
std::vector<std::size_t> in_order(const Rows& rows) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rows.images(); ++i)
    if (rows.finite(i)) order.push_back(i);
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(rows.row(a), rows.row(b));
  });
  return order;
}

}  // namespace

std::vector<double> em_shares(const Rows& rows, std::span<const double> source_shares, int steps,
                              std::span<const std::uint32_t> counts) {
  const std::size_t n = rows.classes();
  const std::vector<std::size_t> order = in_order(rows);
  const auto count = [&](std::size_t i) { return counts.empty() ? 1.0 : static_cast<double>(counts[i]); };
  std::vector<double> shares(n, 0.0), next(n), weighted(n);
  double total = 0;
  for (const std::size_t i : order) {
    total += count(i);
    for (std::size_t k = 0; k < n; ++k) shares[k] += count(i) * rows.row(i)[k];
  }
  if (total == 0) return shares;
  for (double& share : shares) share /= total;
  for (int step = 0; step < steps; ++step) {
    std::ranges::fill(next, 0.0);
    for (const std::size_t i : order) {
      if (count(i) == 0) continue;
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k)
        sum += weighted[k] = rows.row(i)[k] * shares[k] / std::max(source_shares[k], kLeastSourceShare);
      if (sum <= 0) continue;
      for (std::size_t k = 0; k < n; ++k) next[k] += count(i) * weighted[k] / sum;
    }
    const double all = std::accumulate(next.begin(), next.end(), 0.0);
    if (all <= 0) return shares;
    for (std::size_t k = 0; k < n; ++k) shares[k] = next[k] / all;
  }
  return shares;
}

void MomentEquations::add_layer(std::span<const LayerMoments> of_class, std::span<const double> reference_shares) {
  const std::size_t channels = of_class.front().mean.size();
  const double weight = 1 / std::sqrt(static_cast<double>(channels));
  Layer layer;
  layer.rows.resize(classes_ * 2 * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    double mean = 0, square = 0, even = 0;
    for (std::size_t k = 0; k < classes_; ++k) {
      mean += reference_shares[k] * of_class[k].mean[c];
      square += reference_shares[k] * of_class[k].square[c];
      even += of_class[k].square[c] / static_cast<double>(classes_);
    }
    layer.mean_unit.push_back(weight / std::sqrt(std::max(square - mean * mean, kLeastSpread)));
    layer.square_unit.push_back(kSquareWeight * weight / std::max(even, kLeastSpread));
    for (std::size_t k = 0; k < classes_; ++k) {
      layer.rows[k * 2 * channels + c] = of_class[k].mean[c] * layer.mean_unit[c];
      layer.rows[k * 2 * channels + channels + c] = of_class[k].square[c] * layer.square_unit[c];
    }
  }
  const auto n = static_cast<Eigen::Index>(classes_);
  const Matrix rows(layer.rows.data(), static_cast<Eigen::Index>(2 * channels), n);
  if (normal_.empty()) normal_.assign(classes_ * classes_, kSumWeight * kSumWeight);
  Eigen::Map<Eigen::MatrixXd>(normal_.data(), n, n).noalias() += rows.transpose() * rows;
  layers_.push_back(std::move(layer));
}

void MomentEquations::add_target(std::size_t layer, const LayerMoments& target, std::span<double> right) const {
  const Layer& of = layers_[layer];
  const std::size_t channels = of.mean_unit.size();
  std::vector<double> seen(2 * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    seen[c] = target.mean[c] * of.mean_unit[c];
    seen[channels + c] = target.square[c] * of.square_unit[c];
  }
  const auto rows = static_cast<Eigen::Index>(2 * channels), n = static_cast<Eigen::Index>(classes_);
  Eigen::Map<Eigen::VectorXd>(right.data(), n).noalias() +=
      Matrix(of.rows.data(), rows, n).transpose() * Vector(seen.data(), rows);
}

std::vector<double> MomentEquations::solved(std::span<const double> right) const {
  std::vector<double> with_sum(right.begin(), right.end());
  for (double& value : with_sum) value += kSumWeight * kSumWeight;
  std::vector<double> shares = nonnegative_least_squares(normal_, with_sum);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share = sum > 0 ? share / sum : 1 / static_cast<double>(classes_);
  return shares;
}

std::vector<double> nonnegative_least_squares(std::span<const double> normal, std::span<const double> right) {
  const auto n = static_cast<Eigen::Index>(right.size());
  const Matrix g(normal.data(), n, n);
  const Vector h(right.data(), n);
  const double tolerance = 1e-12 * std::max(1.0, h.cwiseAbs().maxCoeff());
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<Eigen::Index> free;  // those that may differ from 0
  const auto solve = [&] {
    const auto m = static_cast<Eigen::Index>(free.size());
    Eigen::MatrixXd part(m, m);
    Eigen::VectorXd of(m);
    for (Eigen::Index a = 0; a < m; ++a) {
      of(a) = h(free[static_cast<std::size_t>(a)]);
      for (Eigen::Index b = 0; b < m; ++b)
        part(a, b) = g(free[static_cast<std::size_t>(a)], free[static_cast<std::size_t>(b)]);
    }
    return Eigen::VectorXd(part.ldlt().solve(of));
  };
  for (Eigen::Index round = 0; round < 3 * n; ++round) {
    const Eigen::VectorXd gain = h - g * x;
    Eigen::Index best = -1;
    for (Eigen::Index k = 0; k < n; ++k)
      if (std::ranges::find(free, k) == free.end() && gain(k) > tolerance && (best < 0 || gain(k) > gain(best)))
        best = k;
    if (best < 0) break;
    free.push_back(best);
    for (;;) {
      const Eigen::VectorXd wanted = solve();
      if (wanted.minCoeff() > 0) {
        for (std::size_t a = 0; a < free.size(); ++a) x(free[a]) = wanted(static_cast<Eigen::Index>(a));
        break;
      }
      double step = 1;
      for (std::size_t a = 0; a < free.size(); ++a)
        if (const double to = wanted(static_cast<Eigen::Index>(a)), from = x(free[a]); to <= 0 && from > to)
          step = std::min(step, from / (from - to));
      for (std::size_t a = 0; a < free.size(); ++a)
        x(free[a]) += step * (wanted(static_cast<Eigen::Index>(a)) - x(free[a]));
      // What has come to 0 stays there until it is asked for again; the newest may be among it.
      std::erase_if(free, [&](Eigen::Index k) {
        const bool gone = x(k) <= tolerance;
        if (gone) x(k) = 0;
        return gone;
      });
      if (free.empty()) break;
    }
  }
  return {x.begin(), x.end()};
}

}  // namespace shiftnorm::metrics
