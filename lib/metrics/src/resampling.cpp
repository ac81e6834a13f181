#include "resampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parallel.hpp"
#include "shiftnorm/core/random.hpp"

namespace shiftnorm::metrics {
namespace {

constexpr int kRedraws = 100;

/// Units drawn with replacement, as how often each was drawn.
void draw(const Drawing& drawing, Random& random, std::span<std::uint32_t> drawn) {
  std::ranges::fill(drawn, 0U);
  if (drawing.strata.empty()) {
    const auto units = static_cast<std::uint32_t>(drawn.size());
    for (std::uint32_t i = 0; i < units; ++i) ++drawn[random.below(units)];
  }
  for (const std::vector<std::uint32_t>& stratum : drawing.strata) {
    const auto size = static_cast<std::uint32_t>(stratum.size());
    for (std::uint32_t i = 0; i < size; ++i) ++drawn[stratum[random.below(size)]];
  }
  // What the statistic is a mean over must not depend on the draw.
  for (const std::vector<std::uint32_t>& group : drawing.groups)
    if (std::ranges::none_of(group, [&](std::uint32_t unit) { return drawn[unit] > 0; }))
      ++drawn[group[random.below(static_cast<std::uint32_t>(group.size()))]];
}

/// Groups of images as groups of units.
std::vector<std::uint32_t> as_units(const std::vector<std::uint32_t>& images, const Units& units) {
  if (units.cluster.empty()) return images;
  std::vector<std::uint32_t> out;
  out.reserve(images.size());
  for (const std::uint32_t i : images) out.push_back(units.cluster[i]);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

void check_options(const Bootstrap& options) {
  if (options.resamples < 1 || options.resamples > 100'000'000)
    throw ConfigError(fmt::format("bootstrap: resamples = {}; expected 1 to 100000000", options.resamples));
  if (!(options.level > 0 && options.level < 1))
    throw ConfigError(fmt::format("bootstrap: level = {}; expected a number between 0 and 1", options.level));
  if (options.threads < 1)
    throw ConfigError(fmt::format("bootstrap: threads = {}; expected at least 1", options.threads));
}

void Units::spread(std::span<const std::uint32_t> drawn, std::span<std::uint32_t> counts) const {
  for (std::size_t i = 0; i < images; ++i) counts[i] = drawn[cluster.empty() ? i : cluster[i]];
}

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

Drawing drawing_of(const Resampled& statistic, const Units& units) {
  Drawing out;
  for (const std::vector<std::uint32_t>& group : statistic.needed) out.groups.push_back(as_units(group, units));
  // A cluster may hold images of several classes: it cannot be drawn within one.
  if (statistic.strata.empty() || !units.separate()) return out;
  const std::size_t strata = *std::ranges::max_element(statistic.strata) + std::size_t{1};
  out.strata.resize(strata);
  for (std::size_t i = 0; i < statistic.strata.size(); ++i)
    out.strata[statistic.strata[i]].push_back(units.cluster.empty() ? static_cast<std::uint32_t>(i) : units.cluster[i]);
  return out;
}

bool for_each_resample(const Units& units, const Drawing& drawing, const Bootstrap& options,
                       const std::function<bool(std::size_t, std::span<const std::uint32_t>)>& visit) {
  if (units.images > std::numeric_limits<std::uint32_t>::max())
    throw UnsupportedError(fmt::format("bootstrap: {} images; supported are up to {}", units.images,
                                       std::numeric_limits<std::uint32_t>::max()));
  const auto resamples = static_cast<std::size_t>(options.resamples);
  const auto every = std::min(static_cast<std::size_t>(options.threads), resamples);
  std::atomic<bool> defined{true};
  for_each_parallel(every, options.threads, [&](std::size_t first) {
    std::vector<std::uint32_t> drawn(units.units), counts(units.images);
    for (std::size_t r = first; r < resamples && defined; r += every) {
      Random random(options.seed, r);
      bool done = false;
      for (int attempt = 0; attempt < kRedraws && !done; ++attempt) {
        draw(drawing, random, drawn);
        units.spread(drawn, counts);
        done = visit(r, counts);
      }
      if (!done) defined = false;
    }
  });
  return defined;
}

std::optional<double> drawn_score(const Resampled& statistic, std::span<const std::uint32_t> counts,
                                  std::vector<double>* terms) {
  std::optional<double> value;
  if (statistic.terms) {
    std::vector<double> made = statistic.terms(counts);
    value = sum_of_absolutes(made);
    if (terms != nullptr) *terms = std::move(made);
  } else {
    value = statistic(counts).value;
  }
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<double> jackknife(const Resampled& statistic, const Units& units) {
  std::vector<std::uint32_t> drawn(units.units, 1), counts(units.images);
  std::vector<double> values;
  for (std::size_t u = 0; u < units.units; ++u) {
    drawn[u] = 0;
    units.spread(drawn, counts);
    drawn[u] = 1;
    if (const std::optional<double> value = drawn_score(statistic, counts)) values.push_back(*value);
  }
  return values;
}

std::vector<double> evidence_of(const Resampled& statistic, const Drawing& drawing, const Units& units) {
  std::vector<double> out;
  for (const std::size_t part : statistic.parts) out.push_back(static_cast<double>(drawing.groups[part].size()));
  if (out.empty()) out.push_back(static_cast<double>(units.units));
  return out;
}

Interval holding(Interval interval, double point) {
  return {std::min(interval.low, point), std::max(interval.high, point)};
}

double unseen_share(std::span<const double> evidence, double level) {
  double square = 0;
  for (const double units : evidence) {
    const double missing = 1 - wilson_interval(1, units, level).low;
    square += missing * missing;
  }
  return std::sqrt(square) / static_cast<double>(evidence.size());
}

}  // namespace shiftnorm::metrics
