#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/experiment/results.hpp"

namespace shiftnorm::report {

/// What several parts of a report ask of the results.
struct View {
  explicit View(const experiment::RunResults& results);

  const experiment::RunResults& results;
  std::vector<std::string> metrics;  ///< every metric of any mode, in order of appearance
  std::int64_t labelled = 0;         ///< images with a label
  std::int64_t classes = 0;          ///< 0: unknown
  const experiment::ModeReport* source = nullptr;
};

[[nodiscard]] const experiment::MetricResult* find_metric(const experiment::ModeReport& mode, const std::string& name);
[[nodiscard]] const experiment::Comparison* find_comparison(const experiment::ModeReport& mode,
                                                            const std::string& metric);
/// The finite value of a metric, if there is one.
[[nodiscard]] std::optional<double> value_of(const experiment::ModeReport& mode, const std::string& metric);
/// The same of the source mode, if there is one.
[[nodiscard]] std::optional<double> source_value(const View& view, const std::string& metric);
/// Lower is better only for metrics that say so in the table of metrics.
[[nodiscard]] bool higher_is_better(const std::string& metric);
/// Why value_of is empty.
[[nodiscard]] std::string reason_of(const experiment::ModeReport& mode, const std::string& metric);
[[nodiscard]] std::string class_name(const View& view, std::size_t index);
/// Predictions of the labelled images; empty where the mode carries no probabilities.
[[nodiscard]] std::optional<metrics::Predictions> labelled_predictions(const View& view,
                                                                       const experiment::ModeReport& mode);

}  // namespace shiftnorm::report
