#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::metrics {

/// Scores of labelled images under one mode. probabilities: row-major [images, classes]; labels in [0, classes).
/// Errors  every function that takes Predictions throws ShapeError when sizes or labels do not fit.
struct Predictions {
  std::int64_t classes = 0;
  std::vector<std::int32_t> labels;
  std::vector<double> probabilities;
  [[nodiscard]] std::size_t images() const noexcept { return labels.size(); }
};

/// softmax in double of logits [images, classes], shifted by the row maximum. A row with a NaN or an infinite maximum
/// becomes NaN.
[[nodiscard]] std::vector<double> softmax(std::span<const float> logits, std::int64_t classes);
/// Index of the largest probability of each row, the first on ties (NumPy's argmax); -1 for a row with a NaN: the
/// network said nothing about that image, which every metric counts as wrong or refuses to score.
[[nodiscard]] std::vector<std::int32_t> predicted(const Predictions& predictions);

/// A number or the reason why there is none.
struct Score {
  std::optional<double> value;
  std::string reason;
};
struct Interval {
  double low = 0, high = 0;
};

/// Scores a resample, given as how often each image was drawn. Owns what it needs; may be called from several threads.
using Resampled = std::function<Score(std::span<const std::uint32_t> counts)>;

/// One entry of the table of metrics: "accuracy", "auroc", "cohen_kappa", "ece" ...
struct MetricSpec {
  std::string_view name;
  bool higher_is_better;
  bool by_default;                                                          ///< scored when nobody says what to score
  std::string_view definition;                                              ///< one line for reports
  Score (*compute)(const Predictions&, std::span<const std::size_t> rows);  ///< rows may repeat
  Resampled (*prepare)(const Predictions&);  ///< the same metric with the per-image work done once
};
[[nodiscard]] std::span<const MetricSpec> metric_table();
[[nodiscard]] const MetricSpec& metric(std::string_view name);  ///< ConfigError with the nearest name
[[nodiscard]] Score score(const MetricSpec& metric, const Predictions& predictions);  ///< over all images

struct ClassScores {  ///< one-against-rest, NaN-free: absent when undefined
  std::int64_t support = 0;
  Score precision, recall, f1;
};
/// [truth, predicted]; images without a prediction (a NaN) are in no cell.
[[nodiscard]] std::vector<std::int64_t> confusion_matrix(const Predictions& predictions);
/// An image without a prediction counts in its class's support and as missed.
[[nodiscard]] std::vector<ClassScores> per_class(const Predictions& predictions);
/// One bin of a reliability diagram (equal-width bins of confidence): bin m of M holds confidences in (m/M, (m+1)/M],
/// the first one also 0 (Guo et al. 2017). confidence and accuracy are means over the bin, 0 where it is empty.
struct ReliabilityBin {
  double low = 0, high = 0, confidence = 0, accuracy = 0;
  std::int64_t count = 0;
};
/// Images without a prediction are in no bin. ConfigError for bins < 1.
[[nodiscard]] std::vector<ReliabilityBin> reliability(const Predictions& predictions, int bins = 15);

/// How a bootstrap's values become an interval.
enum class IntervalKind {
  percentile,  ///< their quantiles (Efron & Tibshirani 1993, ch. 13)
  bca          ///< bias-corrected and accelerated (ch. 14): quantiles moved by the bias and by a jackknife's skewness
};

struct Bootstrap {
  std::int64_t resamples = 2000;  ///< at least 1
  double level = 0.95;            ///< in (0, 1)
  std::uint64_t seed = 0;
  int threads = 1;  ///< changes speed only
  IntervalKind kind = IntervalKind::percentile;
  /// Which cluster each image belongs to (a patient), numbered from 0 without gaps: clusters are drawn, whole. Empty:
  /// each image by itself.
  std::vector<std::uint32_t> clusters = {};
};
/// Bootstrap over images, or clusters of them. Deterministic for a seed, any thread count. Quantiles interpolate
/// linearly (NumPy's default). Absent for an undefined metric or fewer than two images (clusters). Errors  ConfigError
/// for options out of range; ShapeError for clusters that do not fit.
[[nodiscard]] std::optional<Interval> bootstrap_interval(const MetricSpec& metric, const Predictions& predictions,
                                                         const Bootstrap& options);
/// The same for any statistic of `images` images.
[[nodiscard]] std::optional<Interval> bootstrap_interval(const Resampled& statistic, std::size_t images,
                                                         const Bootstrap& options);
/// Bootstrap of metric(b) - metric(a) over the same resampled images.
[[nodiscard]] std::optional<Interval> bootstrap_difference(const MetricSpec& metric, const Predictions& a,
                                                           const Predictions& b, const Bootstrap& options);

struct PairedDifference {
  double difference = 0;  ///< metric(b) - metric(a)
  Interval interval;
  double p =
      1;  ///< two-sided: twice the smaller share of resamples on one side of 0, each share as (k+1)/(resamples+1)
};
/// What bootstrap_difference gives, with the point difference and the achieved significance level (Efron & Tibshirani,
/// ch. 15-16).
[[nodiscard]] std::optional<PairedDifference> bootstrap_paired(const MetricSpec& metric, const Predictions& a,
                                                               const Predictions& b, const Bootstrap& options);
/// The same for any two statistics of the same `images` images.
[[nodiscard]] std::optional<PairedDifference> bootstrap_paired(const Resampled& a, const Resampled& b,
                                                               std::size_t images, const Bootstrap& options);

/// The BCa interval of a bootstrap. values: of the resamples, sorted. point: of the data. jackknife: with one image
/// (cluster) left out each. Absent when the values do not surround the point, or for fewer than two of either.
[[nodiscard]] std::optional<Interval> bca_interval(std::span<const double> values, double point,
                                                   std::span<const double> jackknife, double level);

/// AUROC of the second of two classes with DeLong's variance (DeLong, DeLong & Clarke-Pearson 1988).
struct DeLong {
  double auroc = 0, variance = 0;
  Interval interval;  ///< normal, cut to [0, 1]
};
/// Absent without two images of each class. Errors  ShapeError unless there are two classes.
[[nodiscard]] std::optional<DeLong> delong(const Predictions& predictions, double level);

struct DeLongDifference {
  double difference = 0, variance = 0;  ///< auroc(b) - auroc(a)
  Interval interval;
  double p = 1;  ///< two-sided, normal; 1 when the variance is 0 and so is the difference
};
/// Two correlated AUROCs of the same images.
[[nodiscard]] std::optional<DeLongDifference> delong_paired(const Predictions& a, const Predictions& b, double level);

/// Holm's step-down adjustment (Holm 1979) of p-values that were tested together, in the order given.
[[nodiscard]] std::vector<double> holm(std::span<const double> p);

/// Several findings per image, each there (1), not there (0) or not known (-1). Row-major [images, outputs].
struct MultiLabel {
  std::int64_t outputs = 0;
  std::vector<std::int8_t> labels;
  std::vector<double> probabilities;  ///< of the finding, each output by itself (sigmoid)
  [[nodiscard]] std::size_t images() const noexcept {
    return outputs > 0 ? labels.size() / static_cast<std::size_t>(outputs) : 0;
  }
};
/// One output as a decision between two classes, over the images whose label is known, and which images those are.
struct Finding {
  Predictions predictions;
  std::vector<std::size_t> images;
};
/// Errors  ShapeError for sizes that do not fit or an output out of range.
[[nodiscard]] Finding finding(const MultiLabel& data, std::int64_t output);
/// The mean of a metric over the outputs for which it is defined, for any resample of the images.
[[nodiscard]] Resampled over_findings(const MetricSpec& metric, const MultiLabel& data);

struct McNemar {
  std::int64_t only_first = 0, only_second = 0;  ///< images that only the one classifier got right
  double p = 1;                                  ///< exact two-sided binomial
};
/// Exact McNemar test (McNemar 1947; exact form: binomial with p = 1/2 on the discordant pairs).
[[nodiscard]] McNemar mcnemar(const Predictions& first, const Predictions& second);
/// Its p from the two counts of discordant pairs. Relative error about 1e-16 times the smaller count.
[[nodiscard]] double mcnemar_p(std::int64_t only_first, std::int64_t only_second);

}  // namespace shiftnorm::metrics
