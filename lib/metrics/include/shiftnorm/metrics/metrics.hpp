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

/// The least and the largest value that a score can have; infinite where there is no bound.
struct Range {
  double least = 0, most = 1;
  [[nodiscard]] bool bounded() const noexcept;
};
/// The placements of DeLong's method: for each positive the share of negatives below it, for each negative the share of
/// positives below which it stays; ties count half. auroc: the mean of either.
struct Placements {
  std::vector<double> positive, negative;
  double auroc = 0;
};

/// A metric made ready for some data: scores a resample, given as how often each image was drawn, and says what else an
/// interval has to know. Owns what it needs; may be called from several threads. What a score is a mean over (classes,
/// findings) is what the data as a whole have: without one of them a resample has no score.
struct Resampled {
  std::function<Score(std::span<const std::uint32_t> counts)> score;
  Range range = {};
  /// Groups of images of which a resample must hold one each, or it has no score.
  std::vector<std::vector<std::uint32_t>> needed = {};
  /// One for each class or finding that the score is a mean over: the group in `needed` that is the smaller evidence.
  /// Empty: all images together.
  std::vector<std::size_t> parts = {};
  /// The class of each image, where the score does not depend on how many images each class has. Empty: it does.
  std::vector<std::uint32_t> strata = {};
  /// The score is the sum of the absolute values of these, each a mean of something: biased upwards by what averages
  /// out.
  std::function<std::vector<double>(std::span<const std::uint32_t> counts)> terms = {};
  std::vector<std::uint8_t> hits = {};        ///< the score is the mean of these, 0 or 1 for each image
  std::optional<Placements> placements = {};  ///< the score is their AUROC

  [[nodiscard]] Score operator()(std::span<const std::uint32_t> counts) const { return score(counts); }
};

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

/// Several findings per image, each there (1), not there (0) or not known (-1). Row-major [images, outputs].
struct MultiLabel {
  std::int64_t outputs = 0;
  std::vector<std::int8_t> labels;
  std::vector<double> probabilities;  ///< of the finding, each output separately (sigmoid)
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
/// The mean of a metric over the outputs for which it is defined on all images, for any resample of the images.
[[nodiscard]] Resampled over_findings(const MetricSpec& metric, const MultiLabel& data);

}  // namespace shiftnorm::metrics
