#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "check.hpp"
#include "closed_intervals.hpp"
#include "normal.hpp"
#include "quantile.hpp"
#include "resampling.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::metrics {

namespace {

IntervalEstimate none(std::string reason) { return {std::nullopt, {}, std::move(reason)}; }

/// The images that a share's images are worth when those of a cluster are alike: images over the design effect.
double worth_of(std::span<const std::uint8_t> hits, double share, const Units& units) {
  if (units.cluster.empty()) return static_cast<double>(units.images);
  if (share == 0 || share == 1) return static_cast<double>(units.units);
  std::vector<double> sums(units.units);
  for (std::size_t i = 0; i < hits.size(); ++i) sums[units.cluster[i]] += hits[i] - share;
  double square = 0;
  for (const double sum : sums) square += sum * sum;
  const auto images = static_cast<double>(units.images);
  return square > 0 ? std::min(images, share * (1 - share) * images * images / square) : images;
}

IntervalEstimate of_auroc(const Placements& placements, double level) {
  const DeLong out = delong(placements, level);
  return {out.interval, out.by_score ? "auroc-score" : "delong", {}};
}

/// Degrees of freedom of a mean of parts: the number of units behind each, less one.
double freedom_of(std::span<const double> evidence) {
  double sum = 0;
  for (const double units : evidence) sum += units - 1;
  return std::max(sum, 1.0);
}

/// A bounded score as a share, on the scale on which a share's spread does not depend on its size: so the interval
/// stays in bounds, is skewed as it has to be, and can be corrected for bias by a shift.
Interval on_arcsine_scale(std::span<const double> values, double point, Range range, double freedom, double level) {
  const auto to = [&](double v) {
    return std::asin(std::sqrt(std::clamp((v - range.least) / (range.most - range.least), 0.0, 1.0)));
  };
  const auto from = [&](double x) {
    const double root = std::sin(std::clamp(x, 0.0, std::numbers::pi / 2));
    return range.least + (range.most - range.least) * root * root;
  };
  std::vector<double> moved;
  for (const double v : values) moved.push_back(to(v));
  const double centre = 2 * to(point) - mean(moved);
  const double half = student_quantile((1 + level) / 2, freedom) * deviation(moved);
  return {from(centre - half), from(centre + half)};
}

/// All resamples score alike: the score as it is, give or take what so few images cannot have shown.
IntervalEstimate of_constant(double point, Range range, std::span<const double> evidence, double level) {
  if (!range.bounded()) return none("all resamples score alike: these images do not show how the score varies");
  const double unseen = unseen_share(evidence, level) * (range.most - range.least);
  return {Interval{std::max(range.least, point - unseen), std::min(range.most, point + unseen)}, "wilson", {}};
}

}  // namespace

IntervalEstimate interval_of_values(std::span<const double> sorted, double point, const Resampled& statistic,
                                    const Units& units, std::span<const double> evidence, const Bootstrap& options) {
  if (options.kind == IntervalKind::bca)
    if (const auto interval = bca_interval(sorted, point, jackknife(statistic, units), options.level))
      return {interval, "bca", {}};
  if (statistic.range.bounded())
    return {
        on_arcsine_scale(sorted, point, statistic.range, freedom_of(evidence), options.level), "bootstrap-arcsine", {}};
  return {Interval{quantile(sorted, (1 - options.level) / 2), quantile(sorted, (1 + options.level) / 2)},
          "bootstrap-percentile",
          {}};
}

IntervalEstimate confidence_interval(const Resampled& statistic, std::size_t images, const Bootstrap& options) {
  check_options(options);
  const Units units = units_of(options, images);
  const Score all = statistic(std::vector<std::uint32_t>(images, 1));
  if (!all.value || !std::isfinite(*all.value)) return none(all.value ? "the score is not finite" : all.reason);
  const double point = *all.value;
  if (units.units < 2) return none(fmt::format("one {} does not show how the score varies", units.noun()));
  if (!statistic.hits.empty())
    return {wilson_interval(point, worth_of(statistic.hits, point, units), options.level), "wilson", {}};
  if (statistic.placements && units.separate()) return of_auroc(*statistic.placements, options.level);

  const Drawing drawing = drawing_of(statistic, units);
  const std::vector<double> evidence = evidence_of(statistic, drawing, units);
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  Magnitudes magnitudes{{}, std::vector<std::vector<double>>(values.size())};
  if (statistic.terms) magnitudes.terms = statistic.terms(std::vector<std::uint32_t>(images, 1));
  const bool defined = for_each_resample(units, drawing, options, [&](std::size_t r, std::span<const std::uint32_t> c) {
    const std::optional<double> value = drawn_score(statistic, c, &magnitudes.drawn[r]);
    if (value) values[r] = *value;
    return value.has_value();
  });
  if (!defined) return none("resamples of these images have no such score");
  std::ranges::sort(values);
  IntervalEstimate out;
  if (values.front() == values.back())
    out = of_constant(point, statistic.range, evidence, options.level);
  else if (statistic.terms)
    out = {magnitude_interval(magnitudes, options.level), "bootstrap-inversion", {}};
  else
    out = interval_of_values(values, point, statistic, units, evidence, options);
  out.within_classes = !drawing.strata.empty();
  if (out.interval) out.interval = holding(*out.interval, point);
  return out;
}

IntervalEstimate confidence_interval(const MetricSpec& metric, const Predictions& predictions,
                                     const Bootstrap& options) {
  check_options(options);
  check(predictions);
  return confidence_interval(metric.prepare(predictions), predictions.images(), options);
}

}  // namespace shiftnorm::metrics
