#include "shiftnorm/report/heat_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "document.hpp"
#include "figure.hpp"
#include "format.hpp"
#include "shiftnorm/core/error.hpp"
#include "svg.hpp"

namespace shiftnorm::report {
namespace {

constexpr double kRow = 22, kLeast = 46, kMost = 90, kMargin = 4, kLetter = 7.2, kGap = 8;
constexpr std::size_t kNameCharacters = 26, kHeadCharacters = 13;
// Column names that are no longer than this are horizontal, others vertical.
constexpr std::size_t kLevelCharacters = 5;
// Beyond this a map is unreadable: its rows are only in the table.
constexpr std::size_t kMostRows = 400;

/// How strong the weakest and the strongest colour are: on all of them ink is readable, 4.3 to 1 or more in the dark.
constexpr double kWeak = 0.04, kStrong = 0.6;

using Scale = std::pair<double, double>;

std::string value_of(const HeatMap& map, double value) {
  if (!std::isfinite(value)) return {};
  if (map.percent) {
    const double shown = std::round(1000 * value) == 0 ? 0.0 : 100 * value;  // no -0.0
    return fmt::format("{}{:.1f}", map.differences && shown > 0 ? "+" : "", shown);
  }
  return fmt::format("{}{:.3g}", map.differences && value > 0 ? "+" : "", value);
}

Scale scale_of(const HeatMap& map) { return map.scale.value_or(common_scale({map}).value_or(Scale{0, 1})); }

/// In [0, 1]: how strongly a cell is filled. Small differences show beside large ones: by their square roots.
double strength(const HeatMap& map, const Scale& scale, double value) {
  const double width = map.differences ? scale.second : scale.second - scale.first;
  const double part = std::clamp((map.differences ? std::abs(value) : value - scale.first) / width, 0.0, 1.0);
  return kWeak + (kStrong - kWeak) * (map.differences ? std::sqrt(part) : part);
}

std::string numbers(const HeatMap& map) {
  std::string rows = "<thead><tr>" + column(map.row_title.empty() ? "Row" : map.row_title, false, true);
  for (const std::string& name : map.columns) rows += column(name, true);
  rows += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", html(map.rows[r]));
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      const double v = map.values[r * map.columns.size() + c];
      rows += std::isfinite(v) ? fmt::format("<td data-v=\"{:.9g}\">{}</td>", v, value_of(map, v))
                               : std::string("<td class=\"none\">none</td>");
    }
    rows += "</tr>\n";
  }
  return rows + "</tbody>";
}

std::size_t longest(const std::vector<std::string>& names, std::size_t most) {
  std::size_t length = 1;
  for (const std::string& name : names) length = std::max(length, shortened(name, most).size());
  return std::min(length, most);
}

/// Where things are in a picture.
struct Layout {
  explicit Layout(const HeatMap& map) {
    const std::size_t head_letters = longest(map.columns, kHeadCharacters);
    level = head_letters <= kLevelCharacters;
    names = kGap + kLetter * static_cast<double>(std::max(longest(map.rows, kNameCharacters),
                                                          std::min(map.row_title.size(), kNameCharacters)));
    title = map.column_title.empty() ? 0 : 18;
    head = title + (level ? 18 : 14 + 7.5 * static_cast<double>(head_letters));
    width = std::clamp(520.0 / static_cast<double>(std::max<std::size_t>(1, map.columns.size())), kLeast,
                       level ? kLeast : kMost);
    shown = std::min(map.rows.size(), kMostRows);
  }
  [[nodiscard]] double x(std::size_t c) const { return names + static_cast<double>(c) * width; }
  [[nodiscard]] double y(std::size_t r) const { return head + static_cast<double>(r) * kRow; }

  bool level = false;
  double names = 0, title = 0, head = 0, width = 0;
  std::size_t shown = 0;
};

void draw_heads(Svg& svg, const HeatMap& map, const Layout& at) {
  if (at.title > 0) svg.text("quiet", at.names, at.title - 6, map.column_title);
  if (!map.row_title.empty()) svg.text("quiet end", at.names - kGap, at.head - 6, map.row_title);
  for (std::size_t c = 0; c < map.columns.size(); ++c) {
    const std::string name = shortened(map.columns[c], kHeadCharacters);
    if (at.level)
      svg.text("name mid", at.x(c) + at.width / 2, at.head - 6, name);
    else
      svg.upright("name", at.x(c) + at.width / 2 + 4, at.head - 6, name);
  }
}

void draw_cell(Svg& svg, const HeatMap& map, const Scale& scale, std::size_t r, std::size_t c, const Layout& at) {
  const double v = map.values[r * map.columns.size() + c];
  const std::string text = value_of(map, v);
  const std::string tip = fmt::format("{}, {}: {}", map.rows[r], map.columns[c], text.empty() ? "not computed" : text);
  const double filled = std::isfinite(v) ? strength(map, scale, v) : 0;
  svg.cell(map.differences && v < 0 ? "other cell" : "bar cell", at.x(c), at.y(r), at.width, kRow, filled, tip);
  svg.text("inside mid", at.x(c) + at.width / 2, at.y(r) + kRow - 6.5, text.empty() ? "–" : text);
}

Figure figure_of(const HeatMap& map, const std::string& group) {
  if (map.values.size() != map.rows.size() * map.columns.size())
    throw ShapeError(
        fmt::format("a heat map of {} x {} has {} values", map.rows.size(), map.columns.size(), map.values.size()));
  const Scale scale = scale_of(map), own = common_scale({map}).value_or(Scale{0, 0});
  const Layout at(map);
  const std::string file = heat_map_name(map, group);
  Svg svg(file, at.x(map.columns.size()) + kMargin, at.y(at.shown) + kMargin, map.title,
          fmt::format("{} by {}: {} rows, {} columns, from {} to {}.", map.row_title, map.column_title, map.rows.size(),
                      map.columns.size(), value_of(map, own.first), value_of(map, own.second)));
  draw_heads(svg, map, at);
  for (std::size_t r = 0; r < at.shown; ++r) {
    svg.text("name end", at.names - kGap, at.y(r) + kRow - 6.5, shortened(map.rows[r], kNameCharacters));
    for (std::size_t c = 0; c < map.columns.size(); ++c) draw_cell(svg, map, scale, r, c, at);
  }
  std::string note = map.percent ? (map.differences ? "points" : "%") : "";
  if (at.shown < map.rows.size())
    note += fmt::format("{}the first {} of {} rows", note.empty() ? "" : ", ", at.shown, map.rows.size());
  return {file, map.title, note, std::move(svg).finish(), numbers(map)};
}

}  // namespace

std::optional<std::pair<double, double>> common_scale(const std::vector<HeatMap>& maps) {
  Scale scale{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const HeatMap& map : maps)
    for (const double v : map.values)
      if (std::isfinite(v)) {
        scale.first = std::min(scale.first, map.differences ? -std::abs(v) : v);
        scale.second = std::max(scale.second, map.differences ? std::abs(v) : v);
      }
  if (scale.first > scale.second) return std::nullopt;
  if (scale.first == scale.second) scale = {scale.first - 1, scale.second + 1};
  return scale;
}

std::string heat_map_name(const HeatMap& map, const std::string& group) {
  return fmt::format("heat-map-{}-{}", slug(group), slug(map.title));
}

std::string heat_maps_html(const std::vector<HeatMap>& maps, const std::string& group) {
  std::vector<Figure> figures;
  bool wide = false;
  for (const HeatMap& map : maps) {
    figures.push_back(figure_of(map, group));
    wide = wide || map.columns.size() > kLevelCharacters + 1;
  }
  return figures_html(figures, wide ? "wide" : "maps");
}

std::string heat_map_svg(const HeatMap& map) { return standalone(figure_of(map, "")); }

}  // namespace shiftnorm::report
