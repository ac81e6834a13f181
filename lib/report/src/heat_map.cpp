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

constexpr double kName = 190, kRow = 22, kLeast = 46, kMargin = 4;
constexpr std::size_t kNameCharacters = 26, kHeadCharacters = 13;
// Beyond this a map is a wall: its rows stand in the table alone.
constexpr std::size_t kMostRows = 400;

/// How strong the weakest and the strongest colour are.
constexpr double kWeak = 0.04, kStrong = 0.85;

std::string value_of(const HeatMap& map, double value) {
  if (!std::isfinite(value)) return {};
  const std::string_view sign = map.differences && value > 0 ? "+" : "";
  return map.percent ? fmt::format("{}{:.1f}", sign, 100 * value) : fmt::format("{}{:.3g}", sign, value);
}

struct Range {
  double low = 0, high = 1;
};

Range range_of(const HeatMap& map) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const double v : map.values)
    if (std::isfinite(v)) {
      range.low = std::min(range.low, map.differences ? -std::abs(v) : v);
      range.high = std::max(range.high, map.differences ? std::abs(v) : v);
    }
  if (range.low > range.high) return {};
  if (range.low == range.high) range.low -= 1;
  return range;
}

/// In [0, 1]: how strongly a cell is filled.
double strength(const HeatMap& map, const Range& range, double value) {
  const double part = map.differences ? std::abs(value) / range.high : (value - range.low) / (range.high - range.low);
  return kWeak + (kStrong - kWeak) * part;
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

void draw_cell(Svg& svg, const HeatMap& map, const Range& range, std::size_t r, std::size_t c, double x, double y,
               double width) {
  const double v = map.values[r * map.columns.size() + c];
  const std::string text = value_of(map, v);
  const std::string tip = fmt::format("{}, {}: {}", map.rows[r], map.columns[c], text.empty() ? "not computed" : text);
  const double filled = std::isfinite(v) ? strength(map, range, v) : 0;
  svg.cell(map.differences && v < 0 ? "other cell" : "bar cell", x, y, width, kRow, filled, tip);
  svg.text(filled > 0.5 ? "inside mid strong" : "inside mid", x + width / 2, y + kRow - 6.5, text.empty() ? "–" : text);
}

Figure figure_of(const HeatMap& map, std::size_t number) {
  if (map.values.size() != map.rows.size() * map.columns.size())
    throw ShapeError(
        fmt::format("a heat map of {} x {} has {} values", map.rows.size(), map.columns.size(), map.values.size()));
  const Range range = range_of(map);
  const std::size_t shown = std::min(map.rows.size(), kMostRows);
  std::size_t longest = 1;  // of the names above the columns, which stand upright
  for (const std::string& name : map.columns) longest = std::max(longest, std::min(kHeadCharacters, name.size()));
  const double head = 14 + 7.5 * static_cast<double>(longest);
  const double width =
      std::max(kLeast, std::min(90.0, 520.0 / static_cast<double>(std::max<std::size_t>(1, map.columns.size()))));
  const double right = kName + width * static_cast<double>(map.columns.size());
  const std::string file = fmt::format("heat-map-{}-{}", number, slug(map.title));
  Svg svg(file, right + kMargin, head + kRow * static_cast<double>(shown) + kMargin, map.title,
          fmt::format("{} by {}: {} rows, {} columns, from {} to {}.", map.row_title, map.column_title, map.rows.size(),
                      map.columns.size(), value_of(map, range.low), value_of(map, range.high)));
  for (std::size_t c = 0; c < map.columns.size(); ++c)
    svg.upright("name", kName + (static_cast<double>(c) + 0.5) * width + 4, head - 6,
                shortened(map.columns[c], kHeadCharacters));
  for (std::size_t r = 0; r < shown; ++r) {
    const double y = head + kRow * static_cast<double>(r);
    svg.text("name end", kName - 8, y + kRow - 6.5, shortened(map.rows[r], kNameCharacters));
    for (std::size_t c = 0; c < map.columns.size(); ++c)
      draw_cell(svg, map, range, r, c, kName + static_cast<double>(c) * width, y, width);
  }
  std::string note = map.percent ? (map.differences ? "points" : "%") : "";
  if (shown < map.rows.size())
    note += fmt::format("{}the first {} of {} rows", note.empty() ? "" : ", ", shown, map.rows.size());
  return {file, map.title, note, std::move(svg).finish(), numbers(map)};
}

}  // namespace

std::string heat_map_html(const HeatMap& map, std::size_t number) {
  return figures_html({figure_of(map, number)}, "wide");
}

std::string heat_map_svg(const HeatMap& map) { return standalone(figure_of(map, 1)); }

std::string heat_map_page(const std::string& title, const std::string& lead, const std::vector<HeatMap>& maps,
                          const std::string& program_version) {
  std::string main;
  for (std::size_t i = 0; i < maps.size(); ++i) main += section(html(maps[i].title), "", heat_map_html(maps[i], i + 1));
  return document(title + ": shiftnorm sweep", fmt::format("<h1>{}</h1>\n<p>{}</p>\n", html(title), html(lead)), main,
                  program_version);
}

}  // namespace shiftnorm::report
