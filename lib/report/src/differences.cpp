#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"
#include "svg.hpp"
#include "verdict.hpp"

namespace shiftnorm::report {
namespace {

using results::Comparison;
using results::ModeReport;

constexpr double kWidth = 340, kRow = 38, kTop = 4, kAxis = 24, kMargin = 4;
constexpr std::size_t kNameCharacters = 24;

/// "better", "worse" or "not shown to differ": the words beside a difference, so that nothing depends on colour.
std::string_view judged(const View& view, const Comparison& c) {
  if (!shows_difference(view, c)) return "no difference shown";
  return (c.difference > 0) == results::higher_is_better(c.metric) ? "better" : "worse";
}

std::string cell(const View& view, const ModeReport& mode, const std::string& metric) {
  const Comparison* c = find_comparison(mode, metric);
  if (c == nullptr || !std::isfinite(c->difference))
    return fmt::format("<td class=\"none\">not compared{}</td>",
                       c == nullptr ? std::string() : below_html(html(c->reason)));
  std::string out = fmt::format("<td data-v=\"{:.17g}\">{}", c->difference, difference_text(metric, c->difference));
  out += interval_html(metric, c->interval, c->reason);
  const std::string test = c->p ? ", " + p_text(*c->p) : "";
  return out + fmt::format("<br><span class=\"word\">{}{}</span></td>", judged(view, *c), html(test));
}

std::vector<const ModeReport*> compared(const View& view, const std::string& metric) {
  std::vector<const ModeReport*> modes;
  for (const ModeReport& mode : view.results.modes) {
    const Comparison* c = find_comparison(mode, metric);
    if (&mode != view.source && c != nullptr && std::isfinite(c->difference)) modes.push_back(&mode);
  }
  return modes;
}

/// Half the width of an axis around 0 that holds every difference and interval.
double reach(const std::vector<const ModeReport*>& modes, const std::string& metric) {
  double most = 0;
  for (const ModeReport* mode : modes) {
    const Comparison* c = find_comparison(*mode, metric);
    most = std::max(most, std::abs(c->difference));
    if (c->interval) most = std::max({most, std::abs(c->interval->low), std::abs(c->interval->high)});
  }
  return nice_ceiling(most);
}

std::string tick_text(double value) { return value == 0 ? "0" : fmt::format("{:+g}", value); }

Figure picture(const View& view, const std::string& metric, std::size_t number) {
  const std::vector<const ModeReport*> modes = compared(view, metric);
  const double half = reach(modes, metric), bottom = kTop + kRow * static_cast<double>(modes.size());
  const auto x = [&](double v) { return kMargin + (v / half + 1) / 2 * (kWidth - 2 * kMargin); };
  const Display shown = display(metric);
  std::string description;
  for (const ModeReport* mode : modes)
    description += mode->mode.name + ' ' + difference_text(metric, find_comparison(*mode, metric)->difference) + "; ";
  const std::string file = fmt::format("difference-{}-{}", number, slug(metric));
  Svg svg(file, kWidth, bottom + kAxis, shown.title + ": difference to source",
          description + (results::higher_is_better(metric) ? "right of zero is better." : "left of zero is better."));
  constexpr int kParts = 4;
  for (int i = 0; i <= kParts; ++i) {
    const double value = half * (2.0 * i / kParts - 1);
    svg.line(i == kParts / 2 ? "zero" : "grid", x(value), kTop, x(value), bottom);
    svg.text(i == 0        ? "tick"
             : i == kParts ? "tick end"
                           : "tick mid",
             x(value), bottom + 15, tick_text(shown.percent ? 100 * value : value));
  }
  double y = kTop;
  for (const ModeReport* mode : modes) {
    const Comparison* c = find_comparison(*mode, metric);
    svg.text("name", kMargin, y + 13, shortened(mode->mode.name, kNameCharacters));
    svg.text("value end", kWidth - kMargin, y + 13, difference_text(metric, c->difference));
    if (c->interval) svg.whisker(x(c->interval->low), x(c->interval->high), y + 25);
    svg.circle(judged(view, *c) == "no difference shown" ? "dot open" : "dot", x(c->difference), y + 25, 3.5);
    y += kRow;
  }
  return {file,
          shown.title,
          fmt::format("{}{}", shown.percent ? "points, " : "",
                      results::higher_is_better(metric) ? "right is better" : "left is better"),
          std::move(svg).finish(),
          {}};
}

}  // namespace

std::vector<Figure> difference_figures(const View& view) {
  std::vector<Figure> out;
  for (const std::string& metric : view.metrics)
    if (!compared(view, metric).empty()) out.push_back(picture(view, metric, out.size() + 1));
  return out;
}

std::string differences_table(const View& view) {
  std::vector<std::string> metrics;
  for (const std::string& metric : view.metrics)
    if (!compared(view, metric).empty()) metrics.push_back(metric);
  if (metrics.empty()) return {};
  std::string rows = "<thead><tr><th scope=\"col\">Mode</th>";
  for (const std::string& metric : metrics) {
    const std::string test = find_comparison(*compared(view, metric).front(), metric)->test;
    rows += fmt::format("<th scope=\"col\" data-first=\"{}\">{}<br><span class=\"quiet\">{}</span></th>",
                        results::higher_is_better(metric) ? "descending" : "ascending", html(display(metric).title),
                        html(test_text(test)));
  }
  rows += "</tr></thead>\n<tbody>\n";
  for (const ModeReport& mode : view.results.modes) {
    if (&mode == view.source) continue;
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", html(mode.mode.name));
    for (const std::string& metric : metrics) rows += cell(view, mode, metric);
    rows += "</tr>\n";
  }
  return boxed_table("numbers sortable", "Mode minus source", rows + "</tbody>");
}

}  // namespace shiftnorm::report
