#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "check.hpp"
#include "random.hpp"
#include "shiftnorm/core/error.hpp"

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

/// Images drawn with replacement, as how often each was drawn.
void draw(std::span<std::uint32_t> counts, std::uint64_t seed, std::uint64_t resample) {
  Random random(seed, resample);
  std::ranges::fill(counts, 0U);
  const auto images = static_cast<std::uint32_t>(counts.size());
  for (std::uint32_t i = 0; i < images; ++i) ++counts[random.below(images)];
}

/// statistic(counts) of every resample, sorted; empty where one of them is undefined or there are fewer than two
/// images.
std::vector<double> resampled(const Resampled& statistic, std::size_t images, const Bootstrap& options) {
  if (images < 2) return {};
  if (images > std::numeric_limits<std::uint32_t>::max())
    throw UnsupportedError(
        fmt::format("bootstrap: {} images; supported are up to {}", images, std::numeric_limits<std::uint32_t>::max()));
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  std::atomic<bool> defined{true};
  const auto every = std::min(static_cast<std::size_t>(options.threads), values.size());
  std::vector<std::vector<std::uint32_t>> scratch(every, std::vector<std::uint32_t>(images));
  const auto work = [&](std::size_t first) {
    for (std::size_t r = first; r < values.size() && defined; r += every) {
      draw(scratch[first], options.seed, r);
      const Score score = statistic(scratch[first]);
      if (score.value && std::isfinite(*score.value))
        values[r] = *score.value;
      else
        defined = false;
    }
  };
  {
    std::vector<std::jthread> workers;
    for (std::size_t first = 1; first < every; ++first) workers.emplace_back(work, first);
    work(0);
  }
  if (!defined) return {};
  std::ranges::sort(values);
  return values;
}

double quantile(std::span<const double> sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval percentiles(std::span<const double> sorted, double level) {
  return {quantile(sorted, (1 - level) / 2), quantile(sorted, (1 + level) / 2)};
}

Resampled difference(const MetricSpec& metric, const Predictions& a, const Predictions& b) {
  return [first = metric.prepare(a), second = metric.prepare(b)](std::span<const std::uint32_t> counts) -> Score {
    const Score x = first(counts);
    if (!x.value) return x;
    Score y = second(counts);
    if (y.value) *y.value -= *x.value;
    return y;
  };
}

}  // namespace

std::optional<Interval> bootstrap_interval(const MetricSpec& metric, const Predictions& predictions,
                                           const Bootstrap& options) {
  check_options(options);
  check(predictions);
  const std::vector<double> values = resampled(metric.prepare(predictions), predictions.images(), options);
  if (values.empty()) return std::nullopt;
  return percentiles(values, options.level);
}

std::optional<PairedDifference> bootstrap_paired(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                                 const Bootstrap& options) {
  check_options(options);
  check_pair(a, b);
  const Resampled statistic = difference(metric, a, b);
  const std::vector<double> values = resampled(statistic, a.images(), options);
  if (values.empty()) return std::nullopt;
  const auto not_above = std::ranges::upper_bound(values, 0.0) - values.begin();
  const auto not_below = values.end() - std::ranges::lower_bound(values, 0.0);
  const double p = 2 * static_cast<double>(std::min(not_above, not_below) + 1) / static_cast<double>(values.size() + 1);
  const Score all = statistic(std::vector<std::uint32_t>(a.images(), 1));
  return PairedDifference{*all.value, percentiles(values, options.level), std::min(1.0, p)};
}

std::optional<Interval> bootstrap_difference(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                             const Bootstrap& options) {
  const std::optional<PairedDifference> paired = bootstrap_paired(metric, a, b, options);
  if (!paired) return std::nullopt;
  return paired->interval;
}

}  // namespace shiftnorm::metrics
