#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "check.hpp"
#include "closed_intervals.hpp"
#include "normal.hpp"
#include "resampling.hpp"

namespace shiftnorm::metrics {
namespace {

/// Which closed form gives the difference, if any: one of images that are separate evidence.
enum class Closed { none, shares, aurocs };

Closed closed_of(const Resampled& a, const Resampled& b, const Units& units) {
  if (!units.separate()) return Closed::none;
  if (!a.hits.empty() && !b.hits.empty()) return Closed::shares;
  const auto two_each = [](const Resampled& of) {
    return of.placements && of.placements->positive.size() > 1 && of.placements->negative.size() > 1;
  };
  return two_each(a) && two_each(b) ? Closed::aurocs : Closed::none;
}

void fill_shares(PairedEstimate& out, const Resampled& a, const Resampled& b, double level) {
  std::int64_t cells[2][2] = {};
  for (std::size_t i = 0; i < a.hits.size(); ++i) ++cells[a.hits[i]][b.hits[i]];
  const auto count = [&](int x, int y) { return static_cast<double>(cells[x][y]); };
  out.interval = {newcombe_interval(count(1, 1), count(1, 0), count(0, 1), count(0, 0), level), "newcombe", {}};
  out.test = "mcnemar";
  out.p = mcnemar_p(cells[1][0], cells[0][1]);
}

void fill_aurocs(PairedEstimate& out, const Resampled& a, const Resampled& b, double level) {
  const DeLongDifference found = delong_paired(*a.placements, *b.placements, level);
  out.interval = {found.interval, found.by_score ? "auroc-score" : "delong", {}};
  out.test = "delong";
  out.p = found.p;
}

/// How the statistics of every resample differ, and what they are sums of.
struct Pairs {
  std::vector<double> differences;
  Magnitudes of_first, of_second;
};

std::optional<Pairs> pairs_of(const Resampled& a, const Resampled& b, const Units& units, const Drawing& drawing,
                              const Bootstrap& options) {
  const auto resamples = static_cast<std::size_t>(options.resamples);
  Pairs out{std::vector<double>(resamples), {}, {}};
  for (Magnitudes* of : {&out.of_first, &out.of_second}) of->drawn.resize(resamples);
  if (a.terms && b.terms) {
    const std::vector<std::uint32_t> once(units.images, 1);
    out.of_first.terms = a.terms(once);
    out.of_second.terms = b.terms(once);
  }
  const bool defined = for_each_resample(units, drawing, options, [&](std::size_t r, std::span<const std::uint32_t> c) {
    const std::optional<double> x = drawn_score(a, c, &out.of_first.drawn[r]);
    const std::optional<double> y = x ? drawn_score(b, c, &out.of_second.drawn[r]) : std::nullopt;
    if (y) out.differences[r] = *y - *x;
    return y.has_value();
  });
  if (!defined) return std::nullopt;
  return out;
}

/// Two-sided: the achieved significance level of a bootstrap.
double p_of(std::span<const double> sorted) {
  const auto not_above = std::ranges::upper_bound(sorted, 0.0) - sorted.begin();
  const auto not_below = sorted.end() - std::ranges::lower_bound(sorted, 0.0);
  return std::min(1.0,
                  2 * static_cast<double>(std::min(not_above, not_below) + 1) / static_cast<double>(sorted.size() + 1));
}

/// All resamples differ alike: what the images that could differ otherwise, and were not seen, may be worth.
IntervalEstimate of_constant(double difference, Range range, std::span<const double> evidence, double level) {
  if (!range.bounded())
    return {std::nullopt, {}, "all resamples differ alike: these images do not show how the difference varies"};
  const double width = range.most - range.least, unseen = unseen_share(evidence, level) * width;
  return {Interval{std::max(-width, difference - unseen), std::min(width, difference + unseen)}, "wilson", {}};
}

/// Sums of absolute values; p is the normal one on the side of 0.
void fill_magnitudes(PairedEstimate& out, const Pairs& pairs, double level) {
  const Interval interval = magnitude_difference(pairs.of_first, pairs.of_second, level);
  out.interval = {interval, "bootstrap-inversion", {}};
  const double difference = *out.difference;
  const double side = difference > 0 ? difference - interval.low : interval.high - difference;
  const double z = side > 0 ? std::abs(difference) / side * normal_quantile((1 + level) / 2) : 0;
  out.p = not_zero(2 * normal_cdf(-z));
}

void fill_bootstrap(PairedEstimate& out, const Resampled& a, const Resampled& b, const Units& units,
                    const Bootstrap& options) {
  if (units.units < 2) {
    out.interval.reason = fmt::format("one {} does not show how the difference varies", units.noun());
    return;
  }
  // Either may need what the other does not: a class that only one of them predicts.
  Drawing drawing = drawing_of(a, units);
  std::ranges::move(drawing_of(b, units).groups, std::back_inserter(drawing.groups));
  const std::vector<double> evidence = evidence_of(a, drawing, units);
  std::optional<Pairs> pairs = pairs_of(a, b, units, drawing, options);
  if (!pairs) {
    out.interval.reason = "resamples of these images have no such score";
    return;
  }
  std::vector<double>& values = pairs->differences;
  std::ranges::sort(values);
  out.test = "bootstrap";
  out.p = p_of(values);
  if (values.front() == values.back()) {
    out.interval = of_constant(*out.difference, a.range, evidence, options.level);
  } else if (!pairs->of_first.terms.empty()) {
    fill_magnitudes(out, *pairs, options.level);
  } else {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const auto difference = [&](std::span<const std::uint32_t> counts) -> Score {
      const Score x = a(counts), y = b(counts);
      if (!x.value || !y.value) return {std::nullopt, x.value ? y.reason : x.reason};
      return {*y.value - *x.value, {}};
    };
    // Percentiles, bounded or not: a difference is not a share.
    out.interval = interval_of_values(values, *out.difference, {difference, Range{-kInfinity, kInfinity}}, units,
                                      evidence, options);
  }
  out.interval.within_classes = !drawing.strata.empty();
}

}  // namespace

PairedEstimate paired_difference(const Resampled& a, const Resampled& b, std::size_t images, const Bootstrap& options,
                                 bool same_outputs) {
  check_options(options);
  const Units units = units_of(options, images);
  const std::vector<std::uint32_t> once(images, 1);
  const Score x = a(once), y = b(once);
  PairedEstimate out;
  if (!x.value || !y.value) {
    out.interval.reason = x.value ? y.reason : x.reason;
    return out;
  }
  out.difference = *y.value - *x.value;
  const Closed closed = closed_of(a, b, units);
  if (closed == Closed::shares)
    fill_shares(out, a, b, options.level);
  else if (closed == Closed::aurocs)
    fill_aurocs(out, a, b, options.level);
  else if (same_outputs)
    out.test = "bootstrap";
  else
    fill_bootstrap(out, a, b, units, options);
  if (same_outputs) {
    out.interval = {Interval{0, 0}, "same outputs", {}};
    out.p = 1;
  }
  if (out.interval.interval) out.interval.interval = holding(*out.interval.interval, *out.difference);
  return out;
}

PairedEstimate paired_difference(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                 const Bootstrap& options) {
  check_options(options);
  check_pair(a, b);
  return paired_difference(metric.prepare(a), metric.prepare(b), a.images(), options,
                           a.probabilities == b.probabilities);
}

}  // namespace shiftnorm::metrics
