#include "shiftnorm/report/console_tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::report {
namespace {

using results::MetricResult, results::ModeReport, results::RunResults;

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

/// Below a table: why there is a "-", or a score without an interval. Each reason once.
void add_reasons(const std::vector<MetricResult>& metrics, std::vector<std::string>& lines) {
  for (const MetricResult& result : metrics) {
    const std::string& why = result.score.value ? result.reason : result.score.reason;
    if (result.interval || why.empty()) continue;
    std::string line = fmt::format("{}{}: {}\n", result.score.value ? "no interval of " : "no ", result.name, why);
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(std::move(line));
  }
}

std::string heading(std::string_view metric) { return fmt::format("{}{}", metric, percent(metric) ? " %" : ""); }

using Row = std::vector<std::string>;

/// What both a mode and one of its domains report.
template <class Report>
void add_scores(const Report& report, bool labelled, bool known, Row& row) {
  if (labelled) {
    for (const MetricResult& result : report.metrics) row.push_back(cell(result));
    return;
  }
  row.push_back(known ? fmt::format("{:.3f}", report.mean_confidence) : "-");
  row.push_back(known ? fmt::format("{:.3f}", report.mean_entropy) : "-");
}

void add_headings(const ModeReport& report, Row& row) {
  for (const MetricResult& result : report.metrics) row.push_back(heading(result.name));
  if (report.metrics.empty()) row.insert(row.end(), {"confidence", "entropy"});
}

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const Row& row : rows)
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
      line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string recommendation_line(const RunResults& results) {
  if (!results.recommendation) return {};
  const results::Recommendation& told = *results.recommendation;
  return fmt::format("without labels: {}{}. {}\n", told.mode.value_or("cannot tell"),
                     told.mode ? fmt::format(" (confidence {})", told.confidence) : "",
                     told.because.empty() ? "" : told.because.front());
}

std::string table_of(const RunResults& results) {
  if (results.modes.empty()) return {};
  if (!results.maps.empty())
    return fmt::format(
        "the network gives {} for each image, not a vector of class scores: the outputs of {} modes are not scored.\n"
        "What was measured is in the statistics and exports; evaluate --outputs FILE.safetensors writes the outputs.\n",
        results.maps, results.modes.size());
  std::vector<Row> rows(1, {"mode"});
  std::vector<std::string> reasons;
  add_headings(results.modes.front(), rows[0]);
  for (const ModeReport& report : results.modes) {
    Row& row = rows.emplace_back(Row{report.mode.name});
    const bool labelled = !results.modes.front().metrics.empty(), known = !report.probabilities.empty();
    add_scores(report, labelled, known, row);
    for (const ModeReport& after : report.after) {
      if (after.probabilities == report.probabilities) continue;  // nothing was measured in between
      Row& later = rows.emplace_back(Row{report.mode.name + ", after"});
      add_scores(after, labelled, known, later);
      add_reasons(after.metrics, reasons);
    }
    add_reasons(report.metrics, reasons);
  }
  return table(rows) + fmt::format("{}", fmt::join(reasons, ""));
}

std::string domain_table_of(const RunResults& results) {
  if (results.domain_key.empty() || !results.maps.empty()) return {};
  std::vector<Row> rows(1, {"mode", results.domain_key, "images"});
  std::vector<std::string> reasons;
  add_headings(results.modes.front(), rows[0]);
  for (const ModeReport& report : results.modes)
    for (const results::DomainReport& domain : report.domains) {
      Row& row = rows.emplace_back(
          Row{report.mode.name + (domain.fell_back ? " (blend)" : ""), domain.name, std::to_string(domain.images)});
      // A domain may be without labels where others have some.
      if (!results.modes.front().metrics.empty() && domain.metrics.empty())
        row.resize(rows[0].size(), "-");
      else
        add_scores(domain, !domain.metrics.empty(), !report.probabilities.empty(), row);
      add_reasons(domain.metrics, reasons);
    }
  return "\n" + table(rows) + fmt::format("{}", fmt::join(reasons, ""));
}

std::string labels_line(const results::LabelCounts& counts) {
  return fmt::format("{}{}: {} images matched, {} images without a label, {} labels without an image, {} ambiguous",
                     counts.file, counts.by.empty() ? "" : ", " + counts.by, counts.matched,
                     counts.images_without_label, counts.labels_without_image, counts.ambiguous);
}

std::string classes_line(const std::vector<std::string>& classes) {
  std::vector<std::string> outputs;
  outputs.reserve(classes.size());
  for (const std::string& name : classes) outputs.push_back(fmt::format("{} is '{}'", outputs.size(), printable(name)));
  return outputs.empty() ? std::string() : fmt::format("outputs by class: {}", join(outputs));
}

std::string distance_table(const std::vector<stats::LayerDistance>& layers) {
  std::size_t width = 5;
  for (const stats::LayerDistance& layer : layers) width = std::max(width, printable(layer.name).size());
  std::string text = fmt::format("{:<{}}  {:>10}  {:>14}  {:>12}  {:>11}\n", "layer", width, "mean shift",
                                 "variance ratio", "symmetric KL", "Wasserstein");
  for (const stats::LayerDistance& layer : layers)
    text += fmt::format("{:<{}}  {:>10.4f}  {:>14.4f}  {:>12.4f}  {:>11.4g}\n", printable(layer.name), width,
                        layer.mean_shift, layer.variance_ratio, layer.symmetric_kl, layer.wasserstein);
  return text;
}

}  // namespace shiftnorm::report
