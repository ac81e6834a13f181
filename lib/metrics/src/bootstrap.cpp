#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "quantile.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parallel.hpp"
#include "shiftnorm/core/random.hpp"

namespace shiftnorm::metrics {
namespace {

void check_options(const Bootstrap& options) {
  if (options.resamples < 1 || options.resamples > 100'000'000)
    throw ConfigError(fmt::format("bootstrap: resamples = {}; expected 1 to 100000000", options.resamples));
  if (!(options.level > 0 && options.level < 1))
    throw ConfigError(fmt::format("bootstrap: level = {}; expected a number between 0 and 1", options.level));
  if (options.threads < 1)
    throw ConfigError(fmt::format("bootstrap: threads = {}; expected at least 1", options.threads));
}

/// What is drawn: images, or clusters of them.
struct Units {
  std::size_t images = 0, units = 0;
  std::span<const std::uint32_t> cluster;  ///< of each image; empty: the image is its own

  /// How often each image was drawn when each unit was drawn so often.
  void spread(std::span<const std::uint32_t> drawn, std::span<std::uint32_t> counts) const {
    for (std::size_t i = 0; i < images; ++i) counts[i] = drawn[cluster.empty() ? i : cluster[i]];
  }
};

Units units_of(const Bootstrap& options, std::size_t images) {
  if (options.clusters.empty()) return {images, images, {}};
  if (options.clusters.size() != images)
    throw ShapeError(fmt::format("bootstrap: clusters of {} images; expected {}", options.clusters.size(), images));
  std::vector<bool> seen(images, false);
  std::size_t units = 0;
  for (const std::uint32_t c : options.clusters) {
    if (c >= images) throw ShapeError(fmt::format("bootstrap: cluster {} of {} images; expected less", c, images));
    seen[c] = true;
    units = std::max<std::size_t>(units, std::size_t{c} + 1);
  }
  for (std::size_t c = 0; c < units; ++c)
    if (!seen[c]) throw ShapeError(fmt::format("bootstrap: cluster {} of {} has no image", c, units));
  return {images, units, options.clusters};
}

/// Units drawn with replacement, as how often each was drawn.
void draw(std::span<std::uint32_t> drawn, std::uint64_t seed, std::uint64_t resample) {
  Random random(seed, resample);
  std::ranges::fill(drawn, 0U);
  const auto units = static_cast<std::uint32_t>(drawn.size());
  for (std::uint32_t i = 0; i < units; ++i) ++drawn[random.below(units)];
}

/// statistic(counts) of every resample, sorted; empty where one of them is undefined or there are fewer than two
/// units.
std::vector<double> resampled(const Resampled& statistic, const Units& units, const Bootstrap& options) {
  const std::size_t images = units.images;
  if (units.units < 2) return {};
  if (images > std::numeric_limits<std::uint32_t>::max())
    throw UnsupportedError(
        fmt::format("bootstrap: {} images; supported are up to {}", images, std::numeric_limits<std::uint32_t>::max()));
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  std::atomic<bool> defined{true};
  const auto every = std::min(static_cast<std::size_t>(options.threads), values.size());
  struct Scratch {
    std::vector<std::uint32_t> drawn, counts;
  };
  std::vector<Scratch> scratch(every, {std::vector<std::uint32_t>(units.units), std::vector<std::uint32_t>(images)});
  const auto work = [&](std::size_t first) {
    for (std::size_t r = first; r < values.size() && defined; r += every) {
      draw(scratch[first].drawn, options.seed, r);
      units.spread(scratch[first].drawn, scratch[first].counts);
      const Score score = statistic(scratch[first].counts);
      if (score.value && std::isfinite(*score.value))
        values[r] = *score.value;
      else
        defined = false;
    }
  };
  for_each_parallel(every, options.threads, work);
  if (!defined) return {};
  std::ranges::sort(values);
  return values;
}

/// The statistic with each unit left out; empty where one of them is undefined.
std::vector<double> jackknife(const Resampled& statistic, const Units& units) {
  std::vector<std::uint32_t> drawn(units.units, 1), counts(units.images);
  std::vector<double> values;
  for (std::size_t u = 0; u < units.units; ++u) {
    drawn[u] = 0;
    units.spread(drawn, counts);
    drawn[u] = 1;
    const Score score = statistic(counts);
    if (!score.value || !std::isfinite(*score.value)) return {};
    values.push_back(*score.value);
  }
  return values;
}

std::optional<Interval> interval_of(const Resampled& statistic, std::span<const double> sorted, const Units& units,
                                    const Bootstrap& options) {
  if (options.kind == IntervalKind::percentile)
    return Interval{quantile(sorted, (1 - options.level) / 2), quantile(sorted, (1 + options.level) / 2)};
  const Score point = statistic(std::vector<std::uint32_t>(units.images, 1));
  if (!point.value) return std::nullopt;
  return bca_interval(sorted, *point.value, jackknife(statistic, units), options.level);
}

Resampled difference(Resampled a, Resampled b) {
  return [first = std::move(a), second = std::move(b)](std::span<const std::uint32_t> counts) -> Score {
    const Score x = first(counts);
    if (!x.value) return x;
    Score y = second(counts);
    if (y.value) *y.value -= *x.value;
    return y;
  };
}

}  // namespace

std::optional<Interval> bootstrap_interval(const Resampled& statistic, std::size_t images, const Bootstrap& options) {
  check_options(options);
  const Units units = units_of(options, images);
  const std::vector<double> values = resampled(statistic, units, options);
  if (values.empty()) return std::nullopt;
  return interval_of(statistic, values, units, options);
}

std::optional<Interval> bootstrap_interval(const MetricSpec& metric, const Predictions& predictions,
                                           const Bootstrap& options) {
  check_options(options);
  check(predictions);
  return bootstrap_interval(metric.prepare(predictions), predictions.images(), options);
}

std::optional<PairedDifference> bootstrap_paired(const Resampled& a, const Resampled& b, std::size_t images,
                                                 const Bootstrap& options) {
  check_options(options);
  const Units units = units_of(options, images);
  const Resampled statistic = difference(a, b);
  const std::vector<double> values = resampled(statistic, units, options);
  if (values.empty()) return std::nullopt;
  const std::optional<Interval> interval = interval_of(statistic, values, units, options);
  if (!interval) return std::nullopt;
  const auto not_above = std::ranges::upper_bound(values, 0.0) - values.begin();
  const auto not_below = values.end() - std::ranges::lower_bound(values, 0.0);
  const double p = 2 * static_cast<double>(std::min(not_above, not_below) + 1) / static_cast<double>(values.size() + 1);
  const Score all = statistic(std::vector<std::uint32_t>(images, 1));
  return PairedDifference{*all.value, *interval, std::min(1.0, p)};
}

std::optional<PairedDifference> bootstrap_paired(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                                 const Bootstrap& options) {
  check_options(options);
  check_pair(a, b);
  return bootstrap_paired(metric.prepare(a), metric.prepare(b), a.images(), options);
}

std::optional<Interval> bootstrap_difference(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                             const Bootstrap& options) {
  const std::optional<PairedDifference> paired = bootstrap_paired(metric, a, b, options);
  if (!paired) return std::nullopt;
  return paired->interval;
}

}  // namespace shiftnorm::metrics
