#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "format.hpp"
#include "sections.hpp"
#include "svg.hpp"

namespace shiftnorm::report {
namespace {

using results::MetricResult;
using results::ModeReport;

// A picture of this width needs no scaling on a 400-pixel screen, so its text keeps its size.
constexpr double kWidth = 340, kRow = 38, kTop = 4, kAxis = 24, kMargin = 4;
constexpr std::size_t kNameCharacters = 24;

struct Scale {
  double top = 1;
  [[nodiscard]] double x(double value) const {
    return kMargin + std::clamp(value / top, 0.0, 1.0) * (kWidth - 2 * kMargin);
  }
};

Scale scale_of(const View& view, const std::string& metric) {
  if (display(metric).percent) return {1};
  double top = 0;
  for (const ModeReport& mode : view.results.modes) {
    const std::optional<double> value = value_of(mode, metric);
    if (!value) continue;
    const MetricResult* result = find_metric(mode, metric);
    top = std::max({top, *value, result->interval ? result->interval->high : 0});
  }
  return {nice_ceiling(top)};
}

std::string described(const View& view, const std::string& metric) {
  std::string out;
  for (const ModeReport& mode : view.results.modes) {
    const std::optional<double> value = value_of(mode, metric);
    out += mode.mode.name + ' ' + (value ? value_text(metric, *value) : "undefined") + "; ";
  }
  return out + (results::higher_is_better(metric) ? "higher is better." : "lower is better.");
}

void draw_axis(Svg& svg, const std::string& metric, const Scale& scale, double bottom) {
  constexpr int kParts = 4;
  for (int i = 0; i <= kParts; ++i) {
    const double value = scale.top * i / kParts, x = scale.x(value);
    svg.line("grid", x, kTop, x, bottom);
    const std::string_view anchor = i == 0 ? "tick" : i == kParts ? "tick end" : "tick mid";
    svg.text(anchor, x, bottom + 15,
             display(metric).percent ? fmt::format("{:g} %", 100 * value) : fmt::format("{:g}", value));
  }
}

void draw_mode(Svg& svg, const View& view, const ModeReport& mode, const std::string& metric, const Scale& scale,
               double y) {
  const MetricResult* result = find_metric(mode, metric);
  const std::optional<double> value = value_of(mode, metric);
  svg.text("name", kMargin, y + 13, shortened(mode.mode.name, kNameCharacters));
  if (!value) {
    svg.text("quiet end", kWidth - kMargin, y + 13, "undefined");
    return;
  }
  const std::optional<metrics::Interval>& range = result->interval;
  svg.text("value end", kWidth - kMargin, y + 13, value_text(metric, *value), "quiet",
           range ? range_text(metric, *range) : "");
  svg.rect(&mode == view.source ? "bar source" : "bar", kMargin, y + 20, scale.x(*value) - kMargin, 10);
  if (range) svg.whisker(scale.x(range->low), scale.x(range->high), y + 25);
}

Figure picture(const View& view, const std::string& metric, std::size_t number) {
  const Scale scale = scale_of(view, metric);
  const double bottom = kTop + kRow * static_cast<double>(view.results.modes.size());
  const Display shown = display(metric);
  const std::string file = fmt::format("bars-{}-{}", number, slug(metric));
  Svg svg(file, kWidth, bottom + kAxis, fmt::format("{} of each mode", shown.title), described(view, metric));
  draw_axis(svg, metric, scale, bottom);
  if (const std::optional<double> base = source_value(view, metric))
    svg.line("reference", scale.x(*base), kTop, scale.x(*base), bottom);
  double y = kTop;
  for (const ModeReport& mode : view.results.modes) {
    draw_mode(svg, view, mode, metric, scale, y);
    y += kRow;
  }
  return {file,
          shown.title,
          results::higher_is_better(metric) ? "higher is better" : "lower is better",
          std::move(svg).finish(),
          {}};
}

}  // namespace

std::vector<Figure> bar_figures(const View& view) {
  std::vector<Figure> out;
  for (const std::string& metric : view.metrics) {
    const bool any =
        std::ranges::any_of(view.results.modes, [&](const ModeReport& m) { return value_of(m, metric).has_value(); });
    if (any) out.push_back(picture(view, metric, out.size() + 1));
  }
  return out;
}

}  // namespace shiftnorm::report
