#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "plot.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::FindingReport;
using results::MetricResult;
using results::ModeReport;
using results::StreamBatch;
using results::SubgroupReport;

std::string score(const std::vector<MetricResult>& metrics, const std::string& name) {
  const auto found = std::ranges::find(metrics, name, &MetricResult::name);
  if (found == metrics.end() || !found->score.value)
    return fmt::format("<td class=\"none\">undefined<br><span class=\"quiet\">{}</span></td>",
                       found == metrics.end() ? "" : html(found->score.reason));
  std::string out =
      fmt::format("<td data-v=\"{:.17g}\">{}", *found->score.value, value_text(name, *found->score.value));
  return out + interval_html(name, found->interval, found->reason) + "</td>";
}

std::string scores(const View& view, const std::vector<MetricResult>& metrics) {
  std::string out;
  for (const std::string& metric : view.metrics) out += score(metrics, metric);
  return out + "</tr>\n";
}

std::string columns(const View& view) {
  std::string out;
  for (const std::string& metric : view.metrics)
    out += column(display(metric).title, results::higher_is_better(metric));
  return out + "</tr></thead>\n<tbody>\n";
}

std::string count(std::int64_t n) { return fmt::format("<td data-v=\"{0}\">{0}</td>", n); }

/// Shares before and after each batch was measured, in the order of arrival.
Figure stream_figure(const ModeReport& mode, std::size_t number) {
  constexpr double kWidth = 720, kLeft = 46, kRight = 712, kTop = 10, kPanel = 120;
  const Panel panel{
      kLeft, kTop, kRight, kTop + kPanel, 0, std::max<double>(1, static_cast<double>(mode.stream.size()) - 1), 0, 1};
  std::vector<Point> before, after;
  double sum_before = 0, sum_after = 0;
  std::int64_t labelled = 0;
  std::string rows = "<thead><tr>" + column("Batch", false) + column("Images", true) + column("Labelled", true) +
                     column("Before, %", true) + column("After, %", true) + "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < mode.stream.size(); ++i) {
    const StreamBatch& batch = mode.stream[i];
    const bool known = batch.labelled > 0;
    const double x = panel.x(static_cast<double>(i)), none = std::nan("");
    before.push_back({x, known ? panel.y(batch.before) : none});
    after.push_back({x, known ? panel.y(batch.after) : none});
    labelled += batch.labelled;
    sum_before += known ? batch.before * static_cast<double>(batch.labelled) : 0;
    sum_after += known ? batch.after * static_cast<double>(batch.labelled) : 0;
    rows +=
        fmt::format("<tr>{}{}{}", count(static_cast<std::int64_t>(i) + 1), count(batch.images), count(batch.labelled));
    for (const double share : {batch.before, batch.after})
      rows += known ? fmt::format("<td data-v=\"{:.9g}\">{:.1f}</td>", share, 100 * share)
                    : std::string("<td class=\"none\">none</td>");
    rows += "</tr>\n";
  }
  const double n = static_cast<double>(std::max<std::int64_t>(1, labelled));
  const std::string note = labelled == 0 ? "no labels"
                                         : fmt::format("before {:.1f} %, after {:.1f} % of {}", 100 * sum_before / n,
                                                       100 * sum_after / n, count_text(labelled, "labelled image"));
  const std::string file = fmt::format("stream-{}-{}", number, slug(mode.mode.name));
  Svg svg(file, kWidth, panel.bottom + 34, "Accuracy of each batch: " + mode.mode.name, note);
  draw_rows(svg, panel, {0, 0.5, 1});
  svg.curve("curve source", before).curve("curve", after);
  svg.line("axis", kLeft, panel.bottom, kRight, panel.bottom);
  svg.text("tick", kLeft, panel.bottom + 16, "1")
      .text("tick end", kRight, panel.bottom + 16, fmt::format("{}", mode.stream.size()));
  svg.text("quiet mid", (kLeft + kRight) / 2, panel.bottom + 16, "batch, in the order of arrival");
  return {file, mode.mode.name, note, std::move(svg).finish(), rows + "</tbody>"};
}

}  // namespace

std::string subgroups_table(const View& view) {
  std::string rows;
  std::size_t groups = 0;
  for (const ModeReport& mode : view.results.modes)
    for (const SubgroupReport& group : mode.subgroups) {
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td><td class=\"left\">{}</td>{}{}",
                          html(mode.mode.name), html(group.column), html(group.name), count(group.images),
                          count(group.labelled));
      rows += scores(view, group.metrics);
      ++groups;
    }
  if (rows.empty()) return {};
  const std::string head = "<thead><tr>" + column("Mode", false, true) + column("Column", false, true) +
                           column("Value", false, true) + column("Images", true) + column("Labelled", true);
  constexpr std::size_t kTall = 30;
  return boxed_table(groups > kTall ? "numbers sortable tall" : "numbers sortable", "Scores of each subgroup",
                     head + columns(view) + rows + "</tbody>");
}

std::string findings_table(const View& view) {
  std::string rows;
  std::size_t findings = 0;
  for (const ModeReport& mode : view.results.modes)
    for (const FindingReport& finding : mode.findings) {
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td>{}{}", html(finding.name),
                          html(mode.mode.name), count(finding.known), count(finding.positive));
      rows += scores(view, finding.metrics);
      ++findings;
    }
  if (rows.empty()) return {};
  const std::string head = "<thead><tr>" + column("Finding", false, true) + column("Mode", false, true) +
                           column("Known", true) + column("Positive", true);
  constexpr std::size_t kTall = 30;
  return boxed_table(findings > kTall ? "numbers sortable tall" : "numbers sortable", "Scores of each finding",
                     head + columns(view) + rows + "</tbody>");
}

std::vector<Figure> stream_figures(const View& view) {
  std::vector<Figure> out;
  for (const ModeReport& mode : view.results.modes)
    if (!mode.stream.empty()) out.push_back(stream_figure(mode, out.size() + 1));
  return out;
}

}  // namespace shiftnorm::report
