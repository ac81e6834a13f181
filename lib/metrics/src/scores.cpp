#include <fmt/format.h>

#include <array>

#include "check.hpp"
#include "prepared.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::metrics {
namespace {

template <Resampled (*Prepare)(const Predictions&)>
Score on_rows(const Predictions& predictions, std::span<const std::size_t> rows) {
  check(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  Predictions written{predictions.classes, {}, {}};
  for (const std::size_t row : rows) {
    if (row >= predictions.images())
      throw ShapeError(fmt::format("metric: row {}; expected less than {} images", row, predictions.images()));
    written.labels.push_back(predictions.labels[row]);
    const auto first = predictions.probabilities.begin() + static_cast<std::ptrdiff_t>(row * classes);
    written.probabilities.insert(written.probabilities.end(), first, first + static_cast<std::ptrdiff_t>(classes));
  }
  return Prepare(written)(std::vector<std::uint32_t>(rows.size(), 1));
}

constexpr bool kHigher = true, kLower = false;
constexpr bool kByDefault = true, kOnRequest = false;

template <Resampled (*Prepare)(const Predictions&)>
constexpr MetricSpec spec(std::string_view name, bool higher_is_better, bool by_default, std::string_view definition) {
  return {name, higher_is_better, by_default, definition, on_rows<Prepare>, Prepare};
}

constexpr std::array kMetrics{
    spec<accuracy>("accuracy", kHigher, kByDefault, "share of images whose most probable class is the label"),
    spec<top_k_accuracy<3>>("top3_accuracy", kHigher, kOnRequest,
                            "share of images whose label is among the 3 most probable classes"),
    spec<top_k_accuracy<5>>("top5_accuracy", kHigher, kOnRequest,
                            "share of images whose label is among the 5 most probable classes"),
    spec<balanced_accuracy>("balanced_accuracy", kHigher, kByDefault, "mean of the recalls of the classes that occur"),
    spec<macro_f1>("macro_f1", kHigher, kOnRequest,
                   "mean over classes that occur or were predicted of 2 hits / (images + predictions)"),
    spec<micro_f1>("micro_f1", kHigher, kOnRequest, "2 hits / (images + predictions) over all classes together"),
    spec<cohen_kappa>("cohen_kappa", kHigher, kOnRequest,
                      "agreement beyond what the two marginals give by chance (Cohen 1960)"),
    spec<quadratic_kappa>("quadratic_kappa", kHigher, kOnRequest,
                          "kappa with disagreements weighted by the squared distance of the classes' indices: for "
                          "ordered grades (Cohen 1968)"),
    spec<auroc>("auroc", kHigher, kOnRequest,
                "area under the ROC curve: of the second of two classes, else the mean of one against the rest"),
    spec<average_precision>("average_precision", kHigher, kOnRequest,
                            "sum over thresholds of precision times the step of recall; classes as for auroc"),
    spec<sensitivity_at_specificity<90>>("sensitivity_at_90_specificity", kHigher, kOnRequest,
                                         "largest recall of a threshold with specificity of 90 % or more; "
                                         "classes as for auroc"),
    spec<sensitivity_at_specificity<95>>("sensitivity_at_95_specificity", kHigher, kOnRequest,
                                         "largest recall of a threshold with specificity of 95 % or more; "
                                         "classes as for auroc"),
    spec<nll>("nll", kLower, kByDefault, "mean of -ln p(label); p below 2.2e-308 counts as 2.2e-308"),
    spec<ece>("ece", kLower, kByDefault,
              "expected calibration error: 15 equal-width bins of confidence, (m/15, (m+1)/15], the mean of |accuracy "
              "- confidence| weighted by count (Guo et al. 2017)"),
    spec<adaptive_ece>("adaptive_ece", kLower, kOnRequest,
                       "the same with 15 bins of equal counts (Nguyen & O'Connor 2015)"),
    spec<brier>("brier", kLower, kByDefault,
                "mean over images of the sum over classes of (p - truth)^2, from 0 to 2 (Brier 1950)"),
};

}  // namespace

std::span<const MetricSpec> metric_table() { return kMetrics; }

const MetricSpec& metric(std::string_view name) {
  std::vector<std::string> names;
  for (const MetricSpec& entry : kMetrics) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("metric '{}' is unknown; expected one of {}{}", printable(name),
                                join(names, kMetrics.size()), near.empty() ? "" : fmt::format("; nearest: {}", near)));
}

Score score(const MetricSpec& metric, const Predictions& predictions) {
  return metric.prepare(predictions)(std::vector<std::uint32_t>(predictions.images(), 1));
}

}  // namespace shiftnorm::metrics
