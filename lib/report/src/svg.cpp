#include "svg.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "format.hpp"

namespace shiftnorm::report {

Svg::Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description)
    : out_(fmt::format(
          R"(<svg viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}" role="img" aria-labelledby="{2}-t {2}-d">)"
          R"(<title id="{2}-t">{3}</title><desc id="{2}-d">{4}</desc>)",
          width, height, id, html(title), html(description))) {}

Svg& Svg::rect(std::string_view style, double x, double y, double width, double height) {
  fmt::format_to(std::back_inserter(out_), R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>)",
                 style, x, y, width, height);
  return *this;
}

Svg& Svg::line(std::string_view style, double x1, double y1, double x2, double y2) {
  fmt::format_to(std::back_inserter(out_), R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                 style, x1, y1, x2, y2);
  return *this;
}

Svg& Svg::circle(std::string_view style, double x, double y, double radius) {
  fmt::format_to(std::back_inserter(out_), R"(<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>)", style, x, y,
                 radius);
  return *this;
}

Svg& Svg::text(std::string_view style, double x, double y, std::string_view words) {
  fmt::format_to(std::back_inserter(out_), R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>)", style, x, y,
                 html(words));
  return *this;
}

Svg& Svg::text(std::string_view style, double x, double y, std::string_view words, std::string_view more_style,
               std::string_view more) {
  fmt::format_to(std::back_inserter(out_),
                 R"(<text class="{}" x="{:.1f}" y="{:.1f}">{}<tspan class="{}" dx="8">{}</tspan></text>)", style, x, y,
                 html(words), more_style, html(more));
  return *this;
}

Svg& Svg::cell(std::string_view style, double x, double y, double width, double height, double strength,
               std::string_view tip) {
  fmt::format_to(std::back_inserter(out_),
                 R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.3f}">)"
                 R"(<title>{}</title></rect>)",
                 style, x, y, width, height, strength, html(tip));
  return *this;
}

Svg& Svg::curve(std::string_view style, std::span<const Point> points, std::optional<double> closed_at) {
  std::string path;
  const Point* last = nullptr;
  const auto close = [&] {
    if (last != nullptr && closed_at) fmt::format_to(std::back_inserter(path), "L{:.1f} {:.1f}Z", last->x, *closed_at);
  };
  for (const Point& p : points) {
    if (!std::isfinite(p.y)) {
      close();
      last = nullptr;
      continue;
    }
    if (last == nullptr && closed_at) fmt::format_to(std::back_inserter(path), "M{:.1f} {:.1f}", p.x, *closed_at);
    const char step = last == nullptr && !closed_at ? 'M' : 'L';
    fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", step, p.x, p.y);
    last = &p;
  }
  close();
  if (!path.empty()) fmt::format_to(std::back_inserter(out_), R"(<path class="{}" d="{}"/>)", style, path);
  return *this;
}

Svg& Svg::upright(std::string_view style, double x, double y, std::string_view words) {
  fmt::format_to(std::back_inserter(out_),
                 R"svg(<text class="{0}" transform="translate({1:.1f} {2:.1f}) rotate(-90)">{3}</text>)svg", style, x,
                 y, html(words));
  return *this;
}

Svg& Svg::whisker(double x1, double x2, double y) {
  constexpr double kCap = 4;
  return line("whisker", x1, y, x2, y)
      .line("whisker", x1, y - kCap, x1, y + kCap)
      .line("whisker", x2, y - kCap, x2, y + kCap);
}

std::string Svg::finish() && { return std::move(out_) + "</svg>\n"; }

double nice_ceiling(double value) {
  if (!std::isfinite(value) || value <= 0) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (value <= step * power) return step * power;
  return 10 * power;
}

}  // namespace shiftnorm::report
