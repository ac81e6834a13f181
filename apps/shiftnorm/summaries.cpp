#include "summaries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;
using experiment::MetricResult, experiment::ModeReport, experiment::RunResults;

/// Accuracies read as percent, the rest as they are.
bool percent(std::string_view metric) { return metric.ends_with("accuracy"); }

std::string number(std::string_view metric, double value) {
  return percent(metric) ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.3f}", value);
}

std::string cell(const MetricResult& result) {
  if (!result.score.value) return "-";
  std::string text = number(result.name, *result.score.value);
  if (result.interval)
    text +=
        fmt::format(" [{}, {}]", number(result.name, result.interval->low), number(result.name, result.interval->high));
  return text;
}

std::string heading(std::string_view metric) { return fmt::format("{}{}", metric, percent(metric) ? " %" : ""); }

std::vector<std::string> row_of(const ModeReport& report, bool labelled) {
  std::vector<std::string> row{report.mode.name};
  if (labelled) {
    for (const MetricResult& result : report.metrics) row.push_back(cell(result));
  } else {
    const bool known = !report.probabilities.empty();
    row.push_back(known ? fmt::format("{:.3f}", report.mean_confidence) : "-");
    row.push_back(known ? fmt::format("{:.3f}", report.mean_entropy) : "-");
  }
  return row;
}

}  // namespace

std::string table_of(const RunResults& results) {
  if (results.modes.empty()) return {};
  const bool labelled = !results.modes.front().metrics.empty();
  std::vector<std::vector<std::string>> rows(1, {"mode"});
  if (labelled) {
    for (const MetricResult& result : results.modes.front().metrics) rows[0].push_back(heading(result.name));
  } else {
    rows[0].insert(rows[0].end(), {"confidence", "entropy"});
  }
  for (const ModeReport& report : results.modes) rows.push_back(row_of(report, labelled));
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
      line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

Json metrics_json(const ModeReport& report, bool labelled) {
  Json metrics = Json::object();
  for (const MetricResult& result : report.metrics) {
    Json one = Json::object({{"value", result.score.value ? Json(*result.score.value) : Json()}});
    if (!result.score.value) one.set("reason", result.score.reason);
    if (result.interval) one.set("low", result.interval->low).set("high", result.interval->high);
    metrics.set(result.name, std::move(one));
  }
  if (!labelled && !report.probabilities.empty()) {
    metrics.set("confidence", Json::object({{"value", report.mean_confidence}}));
    metrics.set("entropy", Json::object({{"value", report.mean_entropy}}));
  }
  return metrics;
}

Json job_json(JobDocument document) {
  Json out = Json::object(
      {{"schema", 1},
       {"images", document.images},
       {"skipped", document.skipped},
       {"bad", document.bad},
       {"too_many_bad", document.too_many_bad},
       {"seconds", Json::object({{"load", document.load}, {"adapt", document.adapt}, {"evaluate", document.evaluate}})},
       {"images_per_second", document.images_per_second},
       {"outputs", std::move(document.outputs)},
       {"metrics", std::move(document.metrics)}});
  if (document.settling) out.set("settling", std::move(*document.settling));
  return out;
}

DistanceView view_of(const std::vector<stats::LayerDistance>& layers) {
  std::size_t width = 5;
  for (const stats::LayerDistance& layer : layers) width = std::max(width, printable(layer.name).size());
  DistanceView out;
  out.text = fmt::format("{:<{}}  {:>10}  {:>14}  {:>12}  {:>11}\n", "layer", width, "mean shift", "variance ratio",
                         "symmetric KL", "Wasserstein");
  for (const stats::LayerDistance& layer : layers) {
    out.text += fmt::format("{:<{}}  {:>10.4f}  {:>14.4f}  {:>12.4f}  {:>11.4g}\n", printable(layer.name), width,
                            layer.mean_shift, layer.variance_ratio, layer.symmetric_kl, layer.wasserstein);
    out.rows.push(Json::object({{"layer", printable(layer.name)},
                                {"mean_shift", layer.mean_shift},
                                {"variance_ratio", layer.variance_ratio},
                                {"symmetric_kl", layer.symmetric_kl},
                                {"wasserstein", layer.wasserstein},
                                {"constant_channels", layer.constant}}));
  }
  return out;
}

}  // namespace shiftnorm::app
