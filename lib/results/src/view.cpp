#include "shiftnorm/results/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace shiftnorm::results {

View::View(const RunResults& run) : results(run) {
  labelled = std::ranges::count_if(run.labels, [](std::int32_t label) { return label >= 0; });
  const std::size_t width = run.ids.empty() ? 0 : run.findings.size() / run.ids.size();
  for (std::size_t i = 0; width > 0 && i < run.ids.size(); ++i)
    labelled += std::ranges::any_of(std::span(run.findings).subspan(i * width, width), [](int k) { return k >= 0; });
  if (run.labels.empty() && run.findings.empty()) labelled = run.labelled.value_or(0);  // read from a file
  classes = static_cast<std::int64_t>(run.classes.size());
  for (const ModeReport& mode : run.modes) {
    if (source == nullptr && mode.mode.is_source()) source = &mode;
    if (classes == 0 && !run.ids.empty())
      classes = static_cast<std::int64_t>(mode.probabilities.size() / run.ids.size());
    for (const MetricResult& metric : mode.metrics)
      if (std::ranges::find(metrics, metric.name) == metrics.end()) metrics.push_back(metric.name);
  }
}

const MetricResult* find_metric(const ModeReport& mode, const std::string& name) {
  const auto found = std::ranges::find(mode.metrics, name, &MetricResult::name);
  return found == mode.metrics.end() ? nullptr : &*found;
}

const Comparison* find_comparison(const ModeReport& mode, const std::string& metric) {
  const auto found = std::ranges::find(mode.versus_source, metric, &Comparison::metric);
  return found == mode.versus_source.end() ? nullptr : &*found;
}

std::optional<double> value_of(const ModeReport& mode, const std::string& metric) {
  const MetricResult* result = find_metric(mode, metric);
  if (result == nullptr || !result->score.value || !std::isfinite(*result->score.value)) return std::nullopt;
  return result->score.value;
}

std::optional<double> source_value(const View& view, const std::string& metric) {
  if (view.source == nullptr) return std::nullopt;
  return value_of(*view.source, metric);
}

bool higher_is_better(const std::string& metric) {
  for (const metrics::MetricSpec& spec : metrics::metric_table())
    if (spec.name == metric) return spec.higher_is_better;
  return true;
}

std::vector<MetricResult> told_metrics(const View& view, const std::vector<MetricResult>& metrics) {
  if (!metrics.empty()) return metrics;
  std::vector<MetricResult> out;
  for (const metrics::MetricSpec& spec : metrics::metric_table()) {
    if (!spec.by_default) continue;
    MetricResult& result = out.emplace_back();
    result.name = spec.name;
    result.score.reason = view.labelled == 0 ? "the images have no labels" : "not evaluated";
  }
  return out;
}

std::string reason_of(const metrics::Score& score) {
  return !score.reason.empty() ? score.reason : score.value ? "the value is not finite" : "undefined";
}

std::string reason_of(const MetricResult& result) {
  if (!result.score.value || !std::isfinite(*result.score.value)) return reason_of(result.score);
  return result.reason.empty() ? "no interval was made" : result.reason;
}

std::string reason_of(const Comparison& comparison) {
  return comparison.reason.empty() ? "no interval was made" : comparison.reason;
}

std::string reason_of(const ModeReport& mode, const std::string& metric) {
  const MetricResult* result = find_metric(mode, metric);
  return result == nullptr ? "not evaluated" : reason_of(*result);
}

std::string class_name(const View& view, std::size_t index) {
  if (index < view.results.classes.size()) return view.results.classes[index];
  return fmt::format("class {}", index);
}

std::optional<metrics::Predictions> labelled_predictions(const View& view, const ModeReport& mode) {
  const RunResults& run = view.results;
  if (run.labels.empty() || view.labelled == 0 || mode.probabilities.empty()) return std::nullopt;
  const std::size_t classes = mode.probabilities.size() / run.labels.size();
  if (classes * run.labels.size() != mode.probabilities.size()) return std::nullopt;
  metrics::Predictions predictions{static_cast<std::int64_t>(classes), {}, {}};
  for (std::size_t i = 0; i < run.labels.size(); ++i) {
    if (run.labels[i] < 0 || static_cast<std::size_t>(run.labels[i]) >= classes) continue;
    predictions.labels.push_back(run.labels[i]);
    const auto row = mode.probabilities.begin() + static_cast<std::ptrdiff_t>(i * classes);
    predictions.probabilities.insert(predictions.probabilities.end(), row, row + static_cast<std::ptrdiff_t>(classes));
  }
  if (predictions.labels.empty()) return std::nullopt;
  return predictions;
}

}  // namespace shiftnorm::results
