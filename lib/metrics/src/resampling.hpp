#pragma once

#include <functional>

#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::metrics {

/// ConfigError for options out of range.
void check_options(const Bootstrap& options);

/// What is drawn: images, or clusters of them.
struct Units {
  std::size_t images = 0, units = 0;
  std::span<const std::uint32_t> cluster;  ///< of each image; empty: the image is its own

  /// Whether every image is separate evidence.
  [[nodiscard]] bool separate() const noexcept { return units == images; }
  /// How often each image was drawn when each unit was drawn so often.
  void spread(std::span<const std::uint32_t> drawn, std::span<std::uint32_t> counts) const;
  /// "image" or "cluster".
  [[nodiscard]] const char* noun() const noexcept { return cluster.empty() ? "image" : "cluster"; }
};
/// Errors  ShapeError for clusters that do not fit `images`.
[[nodiscard]] Units units_of(const Bootstrap& options, std::size_t images);

/// How a resample is drawn. groups: of units, one of each of which is drawn in any case. strata: of units that keep
/// their number; empty: all units are one.
struct Drawing {
  std::vector<std::vector<std::uint32_t>> groups, strata;
};
[[nodiscard]] Drawing drawing_of(const Resampled& statistic, const Units& units);

/// Calls visit(resample, counts of the images) for every resample, from several threads; where it says that nothing is
/// defined, that resample is drawn again, some hundred times. True if all came to be defined.
/// Errors  UnsupportedError for more images than std::uint32_t counts.
[[nodiscard]] bool for_each_resample(const Units& units, const Drawing& drawing, const Bootstrap& options,
                                     const std::function<bool(std::size_t, std::span<const std::uint32_t>)>& visit);

/// The score of a resample; absent where it is undefined or not finite. Of a sum of absolute values the terms are made
/// once, and kept in `terms` if that is given.
[[nodiscard]] std::optional<double> drawn_score(const Resampled& statistic, std::span<const std::uint32_t> counts,
                                                std::vector<double>* terms = nullptr);

/// The statistic with each unit left out, where that is defined.
[[nodiscard]] std::vector<double> jackknife(const Resampled& statistic, const Units& units);

/// How many units each part of the statistic is estimated from.
[[nodiscard]] std::vector<double> evidence_of(const Resampled& statistic, const Drawing& drawing, const Units& units);

/// From the resampled scores: BCa where `options` ask for it and it exists; else on the scale of a share where the
/// score is bounded, else percentiles.
[[nodiscard]] IntervalEstimate interval_of_values(std::span<const double> sorted, double point,
                                                  const Resampled& statistic, const Units& units,
                                                  std::span<const double> evidence, const Bootstrap& options);

/// The interval, widened to hold the point where it does not.
[[nodiscard]] Interval holding(Interval interval, double point);

/// What one part more or less may be worth when all that were seen are alike: the half-width of the interval of a mean
/// of shares that are all 1, of so many units each, by Wilson's interval of each.
[[nodiscard]] double unseen_share(std::span<const double> evidence, double level);

[[nodiscard]] double sum_of_absolutes(std::span<const double> terms);

/// A resampled sum of absolute values.
struct Magnitudes {
  std::vector<double> terms;               ///< of the data
  std::vector<std::vector<double>> drawn;  ///< of each resample
  [[nodiscard]] double sum() const { return sum_of_absolutes(terms); }
  /// Of each resample: how far the sum of `factor` times the terms is off when the resample's errors are added.
  [[nodiscard]] std::vector<double> errors(double factor) const;
};
/// Such a sum is biased upwards, most where the terms are near 0, and a resample is biased again, so that percentiles
/// can leave out the sum itself. Low end: the least multiple of the terms from which, with the resamples' errors added,
/// a sum as large as the one seen comes in (1 - level) / 2 of the cases. High end: normal, without correction.
[[nodiscard]] Interval magnitude_interval(const Magnitudes& data, double level);
/// Of b - a, from the same resamples. Each end allows for as much bias of the sum that it would move as that sum's own
/// low end does, and for none of the other's.
[[nodiscard]] Interval magnitude_difference(const Magnitudes& a, const Magnitudes& b, double level);

}  // namespace shiftnorm::metrics
