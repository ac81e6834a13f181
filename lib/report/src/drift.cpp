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
using stats::LayerDistance;

constexpr double kWidth = 720, kLeft = 46, kRight = 712, kTop = 22, kPanel = 92, kGap = 34, kAxis = 40;

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool same(const std::vector<LayerDistance>& a, const std::vector<LayerDistance>& b) {
  return std::ranges::equal(a, b, [](const LayerDistance& x, const LayerDistance& y) {
    return x.name == y.name && same(x.mean_shift, y.mean_shift) && same(x.variance_ratio, y.variance_ratio);
  });
}

/// Modes that measured the same, such as adabn and its blends.
struct Measured {
  std::vector<std::string> modes;
  const std::vector<LayerDistance>* drift = nullptr;
};

std::vector<Measured> measured(const View& view) {
  std::vector<Measured> all;
  for (const ModeReport& mode : view.results.modes) {
    if (mode.drift.empty()) continue;
    const auto known = std::ranges::find_if(all, [&](const Measured& m) { return same(*m.drift, mode.drift); });
    if (known == all.end())
      all.push_back({{mode.mode.name}, &mode.drift});
    else
      known->modes.push_back(mode.mode.name);
  }
  return all;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Top of the axis of the ratios, in doublings; the axis is as long below 1 as above.
double doublings(const std::vector<LayerDistance>& layers) {
  double most = 1;
  for (const LayerDistance& layer : layers)
    if (const double log = std::log2(layer.variance_ratio); std::isfinite(log)) most = std::max(most, std::abs(log));
  return std::ceil(most);
}

double top_shift(const std::vector<LayerDistance>& layers) {
  double most = 0;
  for (const LayerDistance& layer : layers)
    if (std::isfinite(layer.mean_shift)) most = std::max(most, layer.mean_shift);
  return nice_ceiling(most);
}

void draw_ratios(Svg& svg, const LayerAxis& axis, const Panel& panel, const std::vector<LayerDistance>& layers) {
  const double most = panel.y1;
  for (const double doubling : {-most, 0.0, most}) {
    svg.line(doubling == 0 ? "zero" : "grid", panel.left, panel.y(doubling), panel.right, panel.y(doubling));
    svg.text("tick end", panel.left - 6, panel.y(doubling) + 4,
             doubling < 0 ? fmt::format("1/{:g}", std::exp2(-doubling)) : fmt::format("{:g}", std::exp2(doubling)));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const double log = std::log2(layers[i].variance_ratio);
    if (!std::isfinite(log)) continue;
    const double from = panel.y(0), to = panel.y(log);
    svg.rect(log < 0 ? "other" : "bar", axis.x(i) - axis.step() * 0.36, std::min(from, to), axis.step() * 0.72,
             std::abs(from - to));
  }
}

std::string numbers(const std::vector<LayerDistance>& layers) {
  std::string rows = "<thead><tr>" + column("Layer", false, true) + column("Depth", false) +
                     column("Mean shift", true) + column("Variance ratio", true) + column("Symmetric KL", true) +
                     column("Wasserstein", true) + "</tr></thead>\n<tbody>\n";
  const auto cell = [](double v) {
    return std::isfinite(v) ? fmt::format("<td data-v=\"{0:.9g}\">{0:.4g}</td>", v)
                            : std::string("<td class=\"none\">none</td>");
  };
  for (std::size_t i = 0; i < layers.size(); ++i)
    rows += fmt::format("<tr><th scope=\"row\">{0}</th><td data-v=\"{1}\">{1}</td>{2}{3}{4}{5}</tr>\n",
                        html(layers[i].name), i + 1, cell(layers[i].mean_shift), cell(layers[i].variance_ratio),
                        cell(layers[i].symmetric_kl), cell(layers[i].wasserstein));
  return rows + "</tbody>";
}

Figure picture(const Measured& one, std::size_t number) {
  const std::vector<LayerDistance>& layers = *one.drift;
  LayerAxis axis{{}, kLeft, kRight};
  std::vector<std::string> tips;
  for (const LayerDistance& layer : layers) {
    axis.names.push_back(layer.name);
    tips.push_back(fmt::format("{}: mean shift {:.3g}, variance ratio {:.3g}", layer.name, layer.mean_shift,
                               layer.variance_ratio));
  }
  const auto furthest = std::ranges::max_element(
      layers, {}, [](const LayerDistance& layer) { return std::isfinite(layer.mean_shift) ? layer.mean_shift : -1; });
  const Panel shifts{kLeft, kTop, kRight, kTop + kPanel, 0, 1, 0, top_shift(layers)};
  const double second = kTop + kPanel + kGap, most = doublings(layers);
  const Panel ratios{kLeft, second, kRight, second + kPanel, 0, 1, -most, most};
  const std::string file = fmt::format("drift-{}-{}", number, slug(one.modes.front()));
  Svg svg(
      file, kWidth, ratios.bottom + kAxis, "Drift of each layer: " + joined(one.modes),
      fmt::format("{} layers from input to output. The mean moved furthest in {}: {:.3g} standard deviations of the "
                  "source. Variance ratios lie within a factor of {:g}.",
                  layers.size(), furthest->name, furthest->mean_shift, std::exp2(most)));
  svg.text("quiet", kLeft, kTop - 8, "mean shift, standard deviations of the source");
  draw_rows(svg, shifts, {0, shifts.y1 / 2, shifts.y1});
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (std::isfinite(layers[i].mean_shift))
      svg.rect("bar", axis.x(i) - axis.step() * 0.36, shifts.y(layers[i].mean_shift), axis.step() * 0.72,
               shifts.bottom - shifts.y(layers[i].mean_shift));
  svg.line("axis", kLeft, shifts.bottom, kRight, shifts.bottom);
  svg.text("quiet", kLeft, second - 8, "variance, target over source");
  draw_ratios(svg, axis, ratios, layers);
  axis.draw_numbers(svg, ratios.bottom + 16);
  svg.text("quiet mid", (kLeft + kRight) / 2, ratios.bottom + 33, "layer, from input to output");
  axis.draw_tips(svg, kTop, ratios.bottom, tips);
  return {file, joined(one.modes), "", std::move(svg).finish(), numbers(layers)};
}

}  // namespace

std::vector<Figure> drift_figures(const View& view) {
  std::vector<Figure> out;
  for (const Measured& one : measured(view)) out.push_back(picture(one, out.size() + 1));
  return out;
}

}  // namespace shiftnorm::report
