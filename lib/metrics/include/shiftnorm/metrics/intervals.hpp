#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/names.hpp"
#include "shiftnorm/metrics/metrics.hpp"

/// How sure a score is, and a difference of two scores of the same images. Which method is used for which metric, and
/// how often its intervals hold the truth: docs/study.md, "Intervals"; decisions 0046 and 0047.
namespace shiftnorm::metrics {

enum class IntervalKind {
  bootstrap,  ///< from the spread of resampled scores
  bca         ///< bias-corrected and accelerated (Efron & Tibshirani 1993, ch. 14), where a bootstrap is needed at all
};
inline constexpr auto kIntervalKinds =
    names<Named<IntervalKind>>("interval method", {{"bootstrap", IntervalKind::bootstrap}, {"bca", IntervalKind::bca}});

struct Bootstrap {
  std::int64_t resamples = 2000;  ///< at least 1
  double level = 0.95;            ///< in (0, 1)
  std::uint64_t seed = 0;
  int threads = 1;  ///< changes speed only
  IntervalKind kind = IntervalKind::bootstrap;
  /// Which cluster each image belongs to (a patient), numbered from 0 without gaps: clusters are drawn, whole. Empty:
  /// each image separately.
  std::vector<std::uint32_t> clusters = {};
};

/// An interval and how it was made, or why there is none.
struct IntervalEstimate {
  std::optional<Interval> interval;
  std::string method;           ///< "wilson", "delong", "bootstrap-percentile" ..; empty without an interval
  std::string reason;           ///< empty with an interval
  bool within_classes = false;  ///< images were drawn within their classes, so that each keeps its number of images
};

/// Of any statistic of `images` images. It holds the statistic of all images, and is never of zero width.
/// Shares of images (accuracy): Wilson's, for clusters with the images that they are worth. The AUROC of two classes of
/// images that are separate evidence: DeLong's. Else a bootstrap over images or clusters: within classes where the
/// statistic does not depend on how many images each class has; and a class that the statistic is a mean over is never
/// lost, one of its images is drawn if none was. Deterministic for a seed, any thread count.
/// Errors  ConfigError for options out of range; ShapeError for clusters that do not fit.
[[nodiscard]] IntervalEstimate confidence_interval(const Resampled& statistic, std::size_t images,
                                                   const Bootstrap& options);
[[nodiscard]] IntervalEstimate confidence_interval(const MetricSpec& metric, const Predictions& predictions,
                                                   const Bootstrap& options);

struct PairedEstimate {
  std::optional<double> difference;  ///< b - a; absent where one of them is
  IntervalEstimate interval;         ///< its reason is also why the difference is absent
  std::string test;                  ///< "mcnemar", "delong", "bootstrap"; empty without p
  std::optional<double> p;           ///< two-sided, never 0
};
/// b - a, of two statistics of the same images. Shares of images: Newcombe's interval and McNemar's exact test. The
/// AUROC of two classes: DeLong's. Both only of images that are separate evidence; else the bootstrap over the same
/// resamples, p being twice the smaller share on one side of 0, (k + 1) / (resamples + 1) (Efron & Tibshirani, ch. 15).
/// same_outputs: a and b come from equal outputs, so that the difference is 0 with certainty.
[[nodiscard]] PairedEstimate paired_difference(const Resampled& a, const Resampled& b, std::size_t images,
                                               const Bootstrap& options, bool same_outputs = false);
/// Errors  ShapeError unless both are about the same images.
[[nodiscard]] PairedEstimate paired_difference(const MetricSpec& metric, const Predictions& a, const Predictions& b,
                                               const Bootstrap& options);

/// The BCa interval of a bootstrap. values: of the resamples, sorted. point: of the data. jackknife: with one image
/// (cluster) left out each; alike, or fewer than two, they give no acceleration, which is then 0. Absent when the
/// values do not surround the point, or are fewer than two.
[[nodiscard]] std::optional<Interval> bca_interval(std::span<const double> values, double point,
                                                   std::span<const double> jackknife, double level);

/// Wilson's interval (1927) of a share: `share` of `images`, which may be no whole number. images > 0.
[[nodiscard]] Interval wilson_interval(double share, double images, double level);

/// Interval of a difference of two shares of the same images (Newcombe 1998, method 10).
/// both, only_first, only_second, neither: so many images were hits.
[[nodiscard]] Interval newcombe_interval(double both, double only_first, double only_second, double neither,
                                         double level);

/// AUROC of the second of two classes with DeLong's variance (DeLong, DeLong & Clarke-Pearson 1988).
struct DeLong {
  double auroc = 0, variance = 0;
  Interval interval;      ///< by Student's t on the logit scale; where that does not exist (0, 1), auroc_score_interval
  bool by_score = false;  ///< the interval is auroc_score_interval
};
/// Absent without two images of each class. Errors  ShapeError unless there are two classes.
[[nodiscard]] std::optional<DeLong> delong(const Predictions& predictions, double level);

struct DeLongDifference {
  double difference = 0, variance = 0;  ///< auroc(b) - auroc(a)
  Interval interval;
  double p = 1;           ///< two-sided, normal; never 0
  bool by_score = false;  ///< the variance is 0: the interval is that of two auroc_score_interval
};
/// Two correlated AUROCs of the same images.
[[nodiscard]] std::optional<DeLongDifference> delong_paired(const Predictions& a, const Predictions& b, double level);

/// The AUROCs that are within normal quantiles of the one seen, by Hanley and McNeil's variance (1982) at each of them:
/// an interval even of a perfect ranking, and of one positive alone. Source  Newcombe 2006, Statistics in Medicine 25.
[[nodiscard]] Interval auroc_score_interval(double auroc, double positives, double negatives, double level);

struct McNemar {
  std::int64_t only_first = 0, only_second = 0;  ///< images that only the one classifier got right
  double p = 1;                                  ///< exact two-sided binomial
};
/// Exact McNemar test (McNemar 1947; exact form: binomial with p = 1/2 on the discordant pairs).
[[nodiscard]] McNemar mcnemar(const Predictions& first, const Predictions& second);
/// Its p from the two counts of discordant pairs. Relative error about 1e-16 times the smaller count; what is below
/// the least normal double is that, never 0.
[[nodiscard]] double mcnemar_p(std::int64_t only_first, std::int64_t only_second);

/// Holm's step-down adjustment (Holm 1979) of p-values that were tested together, in the order given.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

}  // namespace shiftnorm::metrics
