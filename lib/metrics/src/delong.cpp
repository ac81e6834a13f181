#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.hpp"
#include "closed_intervals.hpp"
#include "normal.hpp"
#include "placements.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::metrics {
namespace {

/// Midranks, from 1, of `values` in their own order.
std::vector<double> midranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (std::size_t k = first; k < end; ++k)
      ranks[order[k]] = (static_cast<double>(first) + static_cast<double>(end) + 1) / 2;
    first = end;
  }
  return ranks;
}

}  // namespace

Placements placements_of(const Predictions& data) {
  std::vector<double> positive, negative;
  for (std::size_t i = 0; i < data.images(); ++i)
    (data.labels[i] == 1 ? positive : negative).push_back(data.probabilities[2 * i + 1]);
  std::vector<double> all = positive;
  all.insert(all.end(), negative.begin(), negative.end());
  const std::vector<double> among_all = midranks(all), among_positive = midranks(positive),
                            among_negative = midranks(negative);
  const auto m = static_cast<double>(positive.size()), n = static_cast<double>(negative.size());
  Placements out;
  for (std::size_t i = 0; i < positive.size(); ++i) out.positive.push_back((among_all[i] - among_positive[i]) / n);
  for (std::size_t j = 0; j < negative.size(); ++j)
    out.negative.push_back(1 - (among_all[positive.size() + j] - among_negative[j]) / m);
  out.auroc = std::accumulate(out.positive.begin(), out.positive.end(), 0.0) / m;
  return out;
}

namespace {

/// Sample covariance of two lists around the same kind of mean.
double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / (n - 1);
}

double covariance(const Placements& a, const Placements& b) {
  return covariance(a.positive, b.positive) / static_cast<double>(a.positive.size()) +
         covariance(a.negative, b.negative) / static_cast<double>(a.negative.size());
}

bool usable(const Predictions& data) {
  if (data.classes != 2) throw ShapeError(fmt::format("DeLong: {} classes; expected 2", data.classes));
  const auto positives = std::ranges::count(data.labels, 1);
  return positives >= 2 && static_cast<std::int64_t>(data.images()) - positives >= 2 &&
         std::ranges::none_of(data.probabilities, [](double p) { return std::isnan(p); });
}

/// The quantile for an interval: Student's t, since few positives say little about the variance. of_positives and
/// of_negatives: their shares of it. Source  Satterthwaite 1946.
double quantile_of(double of_positives, double positives, double of_negatives, double negatives, double level) {
  const double all = of_positives + of_negatives;
  const double freedom =
      all * all / (of_positives * of_positives / (positives - 1) + of_negatives * of_negatives / (negatives - 1));
  return std::isfinite(freedom) ? student_quantile((1 + level) / 2, freedom) : normal_quantile((1 + level) / 2);
}

/// The variance of an AUROC by the exponential model of Hanley and McNeil.
double model_variance(double auroc, double positives, double negatives) {
  const double two_positives = auroc / (2 - auroc), two_negatives = 2 * auroc * auroc / (1 + auroc);
  return (auroc * (1 - auroc) + (positives - 1) * (two_positives - auroc * auroc) +
          (negatives - 1) * (two_negatives - auroc * auroc)) /
         (positives * negatives);
}

}  // namespace

Interval auroc_score_interval(double auroc, double positives, double negatives, double level) {
  const double z = normal_quantile((1 + level) / 2);
  // From `end` to the one seen the distance falls and what is allowed is crossed once.
  const auto limit = [&](double end) {
    double out = end, in = auroc;
    for (int step = 0; step < 60; ++step) {
      const double middle = (out + in) / 2;
      const bool within = std::abs(middle - auroc) <= z * std::sqrt(model_variance(middle, positives, negatives));
      (within ? in : out) = middle;
    }
    return in;
  };
  return {limit(0), limit(1)};
}

DeLong delong(const Placements& p, double level) {
  const auto m = static_cast<double>(p.positive.size()), n = static_cast<double>(p.negative.size());
  const double of_positives = covariance(p.positive, p.positive) / m,
               of_negatives = covariance(p.negative, p.negative) / n;
  const double variance = of_positives + of_negatives;
  const double slope = p.auroc * (1 - p.auroc);
  if (!(variance > 0) || !(slope > 0)) return {p.auroc, variance, auroc_score_interval(p.auroc, m, n, level), true};
  const double centre = std::log(p.auroc / (1 - p.auroc));
  const double half = quantile_of(of_positives, m, of_negatives, n, level) * std::sqrt(variance) / slope;
  const auto back = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {p.auroc, variance, {back(centre - half), back(centre + half)}};
}

std::optional<DeLong> delong(const Predictions& predictions, double level) {
  check(predictions);
  if (!usable(predictions)) return std::nullopt;
  return delong(placements_of(predictions), level);
}

DeLongDifference delong_paired(const Placements& first, const Placements& second, double level) {
  DeLongDifference out;
  out.difference = second.auroc - first.auroc;
  // Not below 0: the three terms cancel for equal rankings.
  out.variance = std::max(0.0, covariance(first, first) + covariance(second, second) - 2 * covariance(first, second));
  const double z = normal_quantile((1 + level) / 2);
  double error = std::sqrt(out.variance);
  const auto m = static_cast<double>(first.positive.size()), n = static_cast<double>(first.negative.size());
  const auto spread = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::max(0.0, covariance(a, a) + covariance(b, b) - 2 * covariance(a, b));
  };
  const double half = error * quantile_of(spread(first.positive, second.positive) / m, m,
                                          spread(first.negative, second.negative) / n, n, level);
  out.interval = {out.difference - half, out.difference + half};
  out.by_score = error == 0;
  if (out.by_score) {
    // Both rankings are perfect, or as bad as can be: what each of them may be on its own.
    out.interval =
        difference_of(first.auroc, delong(first, level).interval, second.auroc, delong(second, level).interval, 0);
    error = (out.difference > 0 ? out.difference - out.interval.low : out.interval.high - out.difference) / z;
  }
  out.p = out.difference == 0 ? 1 : not_zero(2 * normal_cdf(-std::abs(out.difference) / error));
  return out;
}

std::optional<DeLongDifference> delong_paired(const Predictions& a, const Predictions& b, double level) {
  check_pair(a, b);
  if (!usable(a) || !usable(b)) return std::nullopt;
  return delong_paired(placements_of(a), placements_of(b), level);
}

}  // namespace shiftnorm::metrics
