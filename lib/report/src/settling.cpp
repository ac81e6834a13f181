#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "plot.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::ModeReport;
using results::Settling;
using stats::LayerSettling;

constexpr double kWidth = 720, kLeft = 46, kRight = 712, kTop = 10, kPanel = 120, kAxis = 40;

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool same(const Settling& a, const Settling& b) {
  return a.images == b.images && std::ranges::equal(a.layers, b.layers, [](const auto& x, const auto& y) {
           return x.name == y.name && same(x.error, y.error) && same(x.shift, y.shift);
         });
}

/// Decades of the axis of errors: from below the smallest error to above the largest.
struct Decades {
  double low = -2, high = 0;
};

Decades decades_of(const Settling& settling) {
  Decades out;
  for (const LayerSettling& layer : settling.layers) {
    if (!std::isfinite(layer.error) || layer.error <= 0) continue;
    out.low = std::min(out.low, std::floor(std::log10(layer.error)));
    out.high = std::max(out.high, std::ceil(std::log10(layer.error)));
  }
  out.low = std::max(out.low, -5.0);
  out.high = std::min(out.high, 3.0);
  return out;
}

std::string said(const Settling& settling) {
  const LayerSettling* worst = settling.worst();
  if (worst == nullptr || !std::isfinite(worst->error)) return "unknown";
  return fmt::format("{}: {:.3g} in {}", settling.settled() ? "settled" : "not settled", worst->error, worst->name);
}

Figure picture(const std::string& modes, const Settling& settling, std::size_t number) {
  LayerAxis axis{{}, kLeft, kRight};
  std::vector<std::string> tips;
  std::string rows = "<thead><tr>" + column("Layer", false, true) + column("Depth", false) + column("Error", true) +
                     column("Shift", true) + "</tr></thead>\n<tbody>\n";
  const auto cell = [](double v) {
    return std::isfinite(v) ? fmt::format("<td data-v=\"{0:.9g}\">{0:.4g}</td>", v)
                            : std::string("<td class=\"none\">none</td>");
  };
  for (const LayerSettling& layer : settling.layers) {
    axis.names.push_back(layer.name);
    tips.push_back(fmt::format("{}: error {:.3g}, shift {:.3g}", layer.name, layer.error, layer.shift));
    rows += fmt::format("<tr><th scope=\"row\">{0}</th><td data-v=\"{1}\">{1}</td>{2}{3}</tr>\n", html(layer.name),
                        axis.names.size(), cell(layer.error), cell(layer.shift));
  }
  const Decades decades = decades_of(settling);
  const Panel panel{kLeft, kTop, kRight, kTop + kPanel, 0, 1, decades.low, decades.high};
  const std::string file = fmt::format("settling-{}", number);
  Svg svg(file, kWidth, panel.bottom + kAxis, "Error of the statistics of each layer: " + modes,
          fmt::format("{} images; {}. Below {:g} a layer counts as settled.", settling.images, said(settling),
                      stats::kSettled));
  for (double decade = decades.low; decade <= decades.high; ++decade) {
    svg.line("grid", kLeft, panel.y(decade), kRight, panel.y(decade));
    svg.text("tick end", kLeft - 6, panel.y(decade) + 4, fmt::format("{:g}", std::pow(10.0, decade)));
  }
  svg.line("limit", kLeft, panel.y(std::log10(stats::kSettled)), kRight, panel.y(std::log10(stats::kSettled)));
  const auto height = [&](double v) { return v > 0 ? panel.y(std::log10(v)) : std::nan(""); };
  std::vector<Point> shifts;
  for (std::size_t i = 0; i < settling.layers.size(); ++i)
    shifts.push_back({axis.x(i), height(settling.layers[i].shift)});
  svg.curve("curve source", shifts);
  const double radius = std::clamp(axis.step() * 0.3, 1.2, 3.5);
  for (std::size_t i = 0; i < settling.layers.size(); ++i) {
    const LayerSettling& layer = settling.layers[i];
    if (std::isfinite(layer.error) && layer.error > 0)
      svg.circle(layer.error < stats::kSettled ? "dot" : "dot warm", axis.x(i), height(layer.error), radius);
  }
  axis.draw_numbers(svg, panel.bottom + 16);
  svg.text("quiet mid", (kLeft + kRight) / 2, panel.bottom + 33, "layer, from input to output");
  axis.draw_tips(svg, kTop, panel.bottom, tips);
  return {file, modes, fmt::format("{}, {}", count_text(settling.images, "image"), said(settling)),
          std::move(svg).finish(), rows + "</tbody>"};
}

}  // namespace

std::vector<Figure> settling_figures(const View& view) {
  struct One {
    std::string modes;
    const Settling* settling;
  };
  std::vector<One> all;
  for (const ModeReport& mode : view.results.modes) {
    if (mode.settling.layers.empty()) continue;
    const auto known = std::ranges::find_if(all, [&](const One& one) { return same(*one.settling, mode.settling); });
    if (known == all.end())
      all.push_back({mode.mode.name, &mode.settling});
    else
      known->modes += ", " + mode.mode.name;
  }
  std::vector<Figure> out;
  out.reserve(all.size());
  for (const One& one : all) out.push_back(picture(one.modes, *one.settling, out.size() + 1));
  return out;
}

}  // namespace shiftnorm::report
