#include "plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace shiftnorm::report {

double Panel::x(double value) const { return left + std::clamp((value - x0) / (x1 - x0), 0.0, 1.0) * (right - left); }

double Panel::y(double value) const {
  return std::isfinite(value) ? bottom - std::clamp((value - y0) / (y1 - y0), 0.0, 1.0) * (bottom - top) : value;
}

void draw_rows(Svg& svg, const Panel& panel, const std::vector<double>& values, std::string_view unit) {
  for (const double v : values) {
    svg.line("grid", panel.left, panel.y(v), panel.right, panel.y(v));
    svg.text("tick end", panel.left - 6, panel.y(v) + 4, fmt::format("{:g}{}", v, unit));
  }
}

double LayerAxis::step() const { return (right - left) / static_cast<double>(std::max<std::size_t>(1, names.size())); }
double LayerAxis::x(std::size_t layer) const { return left + (static_cast<double>(layer) + 0.5) * step(); }

void LayerAxis::draw_numbers(Svg& svg, double y) const {
  const auto last = static_cast<double>(names.size());
  constexpr double kMostNumbers = 15;
  double every = 1;
  for (const double factor : {2.0, 2.5, 2.0, 2.0, 2.5, 2.0})  // 2, 5, 10, 20, 50, 100
    if (last / every > kMostNumbers) every *= factor;
  for (double number = 1; number <= last; number = number == 1 && every > 1 ? every : number + every)
    svg.text("tick mid", x(static_cast<std::size_t>(number) - 1), y, fmt::format("{:g}", number));
}

void LayerAxis::draw_tips(Svg& svg, double top, double bottom, const std::vector<std::string>& tips) const {
  for (std::size_t i = 0; i < tips.size(); ++i)
    svg.cell("tip", left + static_cast<double>(i) * step(), top, step(), bottom - top, 0, tips[i]);
}

}  // namespace shiftnorm::report
