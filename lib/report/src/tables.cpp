#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::MetricResult;
using results::ModeReport;

/// The best shown value of a metric; modes that print the same digits share it.
std::optional<std::string> best_text(const View& view, const std::string& metric) {
  std::optional<double> best;
  std::size_t modes = 0;
  for (const ModeReport& mode : view.results.modes) {
    const std::optional<double> value = value_of(mode, metric);
    if (!value) continue;
    ++modes;
    if (!best || (results::higher_is_better(metric) ? *value > *best : *value < *best)) best = value;
  }
  if (!best || modes < 2) return std::nullopt;
  return value_text(metric, *best);
}

std::string score_cell(const ModeReport& mode, const std::string& metric, const std::optional<std::string>& best) {
  const std::optional<double> value = value_of(mode, metric);
  if (!value)
    return fmt::format("<td class=\"none\">undefined<br><span class=\"quiet\">{}</span></td>",
                       html(reason_of(mode, metric)));
  const std::string text = value_text(metric, *value);
  std::string out = fmt::format("<td data-v=\"{:.17g}\">", *value);
  out += text == best ? fmt::format("<span class=\"word\">best</span> <b>{}</b>", text) : text;
  const MetricResult* result = find_metric(mode, metric);
  out += interval_html(metric, result->interval, result->reason);
  return out + "</td>";
}

/// What a mode does, in the words of the configuration.
std::string treatment(const results::ModeFacts& mode) {
  std::string out = mode.policy;
  if (mode.measured()) out += fmt::format(", {}, {}", mode.semantics, mode.estimator);
  if (mode.batch) out += fmt::format(", batches of {}", *mode.batch);
  if (mode.prior_images) out += fmt::format(", prior of {:g} images", *mode.prior_images);
  if (mode.source_weight) out += fmt::format(", source weight {:g}", *mode.source_weight);
  if (mode.momentum) out += fmt::format(", momentum {:g}", *mode.momentum);
  if (mode.layers.restricted()) out += ", some layers";
  return out;
}

std::string row_head(const ModeReport& mode) {
  const std::string details = treatment(mode.mode);
  return fmt::format("<th scope=\"row\">{}{}</th>", html(mode.mode.name),
                     details == mode.mode.name ? std::string() : below_html(html(details)));
}

std::string recall_cell(const ModeReport& mode, std::size_t c) {
  if (c >= mode.per_class.size()) return "<td class=\"none\">-</td>";
  const metrics::Score& recall = mode.per_class[c].recall;
  if (!recall.value)
    return fmt::format("<td class=\"none\">{}</td>", html(recall.reason.empty() ? "undefined" : recall.reason));
  return fmt::format("<td class=\"shade\" style=\"--a:{:.3f}\" data-v=\"{:.17g}\">{:.1f}</td>", *recall.value,
                     *recall.value, 100 * *recall.value);
}

// Longer tables scroll by themselves; the longest are cut.
constexpr std::size_t kTall = 30, kMostClasses = 200;

/// Of too many those whose recall differs most between the modes.
std::vector<std::size_t> shown_classes(const View& view, std::size_t classes) {
  std::vector<std::size_t> order(classes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (classes <= kMostClasses) return order;
  std::vector<double> spread(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    double low = 1, high = 0;
    for (const ModeReport& mode : view.results.modes)
      if (c < mode.per_class.size() && mode.per_class[c].recall.value) {
        low = std::min(low, *mode.per_class[c].recall.value);
        high = std::max(high, *mode.per_class[c].recall.value);
      }
    spread[c] = high - low;
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return spread[a] > spread[b]; });
  order.resize(kMostClasses);
  return order;
}

}  // namespace

std::string scores_table(const View& view) {
  if (view.metrics.empty()) return {};
  std::string rows = "<thead><tr>" + column("Mode", false, true);
  std::vector<std::optional<std::string>> best;
  for (const std::string& metric : view.metrics) {
    rows += column(display(metric).title, results::higher_is_better(metric));
    best.push_back(best_text(view, metric));
  }
  rows += "</tr></thead>\n<tbody>\n";
  for (const ModeReport& mode : view.results.modes) {
    rows += "<tr>" + row_head(mode);
    for (std::size_t m = 0; m < view.metrics.size(); ++m) rows += score_cell(mode, view.metrics[m], best[m]);
    rows += "</tr>\n";
  }
  return boxed_table("numbers sortable",
                     fmt::format("Scores on {}, with {} intervals", count_text(view.labelled, "labelled image"),
                                 level_text(view.results.level)),
                     rows + "</tbody>");
}

std::string recall_table(const View& view) {
  std::size_t classes = 0;
  for (const ModeReport& mode : view.results.modes) classes = std::max(classes, mode.per_class.size());
  if (classes == 0) return {};
  std::string rows = "<thead><tr>" + column("Class", false, true) + column("Images", true);
  for (const ModeReport& mode : view.results.modes) rows += column(mode.mode.name, true);
  rows += "</tr></thead>\n<tbody>\n";
  for (const std::size_t c : shown_classes(view, classes)) {
    std::int64_t support = 0;
    for (const ModeReport& mode : view.results.modes)
      if (c < mode.per_class.size()) support = mode.per_class[c].support;
    rows +=
        fmt::format("<tr><th scope=\"row\">{0}</th><td data-v=\"{1}\">{1}</td>", html(class_name(view, c)), support);
    for (const ModeReport& mode : view.results.modes) rows += recall_cell(mode, c);
    rows += "</tr>\n";
  }
  std::string out = boxed_table(classes > kTall ? "numbers sortable tall" : "numbers sortable",
                                "Recall of each class, %", rows + "</tbody>");
  if (classes > kMostClasses)
    out += fmt::format(
        "<p class=\"lead\">The {} of {} classes on which the modes differ most; <code>results.json</code> "
        "has all.</p>\n",
        kMostClasses, classes);
  return out;
}

std::string cost_table(const View& view) {
  if (view.results.modes.empty()) return {};
  std::string rows = "<thead><tr>" + column("Mode", false, true) + column("Mean confidence", true) +
                     column("Mean entropy, nats", false) + column("Adapt, s", false) + column("Evaluate, s", false) +
                     column("Images/s", true) + "</tr></thead>\n<tbody>\n";
  std::string notes;
  for (const ModeReport& mode : view.results.modes) {
    rows += "<tr>" + row_head(mode);
    rows += fmt::format("<td data-v=\"{0:.17g}\">{1:.1f} %</td><td data-v=\"{2:.17g}\">{2:.3f}</td>",
                        mode.mean_confidence, 100 * mode.mean_confidence, mode.mean_entropy);
    rows += fmt::format(
        "<td data-v=\"{0:.17g}\">{1}</td><td data-v=\"{2:.17g}\">{3}</td><td data-v=\"{4:.17g}\">{5}</td></tr>\n",
        mode.adapt_seconds, seconds_text(mode.adapt_seconds), mode.evaluate_seconds,
        seconds_text(mode.evaluate_seconds), mode.images_per_second,
        mode.images_per_second > 0 ? fmt::format("{:.1f}", mode.images_per_second) : "reused");
    if (!mode.note.empty()) notes += fmt::format("<li><b>{}</b>: {}</li>\n", html(mode.mode.name), html(mode.note));
  }
  std::string out = boxed_table("numbers sortable untitled", "Confidence and time of each mode", rows + "</tbody>");
  if (!notes.empty()) out += "<ul class=\"notes\">\n" + notes + "</ul>\n";
  return out;
}

}  // namespace shiftnorm::report
