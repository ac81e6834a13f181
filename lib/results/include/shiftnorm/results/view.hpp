#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/results/results.hpp"

namespace shiftnorm::results {

/// What readers of results ask of them: judgements, pages.
struct View {
  explicit View(const RunResults& results);

  const RunResults& results;
  std::vector<std::string> metrics;  ///< every metric of any mode, in order of appearance
  std::int64_t labelled = 0;         ///< images with a label
  std::int64_t classes = 0;          ///< 0: unknown
  const ModeReport* source = nullptr;
};

[[nodiscard]] const MetricResult* find_metric(const ModeReport& mode, const std::string& name);
[[nodiscard]] const Comparison* find_comparison(const ModeReport& mode, const std::string& metric);
/// The finite value of a metric, if there is one.
[[nodiscard]] std::optional<double> value_of(const ModeReport& mode, const std::string& metric);
/// The same of the source mode, if there is one.
[[nodiscard]] std::optional<double> source_value(const View& view, const std::string& metric);
/// Lower is better only for metrics that say so in the table of metrics.
[[nodiscard]] bool higher_is_better(const std::string& metric);
/// The metrics of a report or, where nothing was scored, those that would be by default, each without a value and with
/// the reason.
[[nodiscard]] std::vector<MetricResult> told_metrics(const View& view, const std::vector<MetricResult>& metrics);
/// Why there is no value; no value or no interval; why there is no difference or no interval of it.
[[nodiscard]] std::string reason_of(const metrics::Score& score);
[[nodiscard]] std::string reason_of(const MetricResult& result);
[[nodiscard]] std::string reason_of(const Comparison& comparison);
/// Why value_of is empty.
[[nodiscard]] std::string reason_of(const ModeReport& mode, const std::string& metric);
[[nodiscard]] std::string class_name(const View& view, std::size_t index);
/// Predictions of the labelled images; empty where the mode carries no probabilities.
[[nodiscard]] std::optional<metrics::Predictions> labelled_predictions(const View& view, const ModeReport& mode);

}  // namespace shiftnorm::results
