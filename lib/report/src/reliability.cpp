#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"
#include "svg.hpp"

namespace shiftnorm::report {
namespace {

using metrics::ReliabilityBin;
using results::ModeReport;

constexpr double kWidth = 232, kLeft = 34, kTop = 8, kSide = 190, kHistogram = 34, kGap = 8;

double x_of(double confidence) { return kLeft + std::clamp(confidence, 0.0, 1.0) * kSide; }
double y_of(double accuracy) { return kTop + (1 - std::clamp(accuracy, 0.0, 1.0)) * kSide; }

void draw_frame(Svg& svg) {
  for (const double v : {0.0, 0.5, 1.0}) {
    svg.line("grid", x_of(v), y_of(0), x_of(v), y_of(1)).line("grid", x_of(0), y_of(v), x_of(1), y_of(v));
    svg.text("tick end", kLeft - 5, y_of(v) + 4, fmt::format("{:g}", 100 * v));
  }
  svg.line("reference", x_of(0), y_of(0), x_of(1), y_of(1));
}

void draw_bins(Svg& svg, const std::vector<ReliabilityBin>& bins) {
  std::int64_t most = 1;
  for (const ReliabilityBin& bin : bins) most = std::max(most, bin.count);
  const double base = kTop + kSide + kGap + kHistogram;
  for (const ReliabilityBin& bin : bins) {
    if (bin.count == 0) continue;
    const double height = kHistogram * static_cast<double>(bin.count) / static_cast<double>(most);
    svg.rect("bar source", x_of(bin.low) + 0.5, base - height, (bin.high - bin.low) * kSide - 1, height);
    svg.line("gap", x_of(bin.confidence), y_of(bin.confidence), x_of(bin.confidence), y_of(bin.accuracy));
    // Area in proportion to the count: the eye compares areas.
    svg.circle("dot", x_of(bin.confidence), y_of(bin.accuracy),
               2 + 5 * std::sqrt(static_cast<double>(bin.count) / static_cast<double>(most)));
  }
  svg.line("axis", x_of(0), base, x_of(1), base);
  for (const double v : {0.0, 0.5, 1.0})
    svg.text(v == 0 ? "tick" : v == 1 ? "tick end" : "tick mid", x_of(v), base + 15, fmt::format("{:g}", 100 * v));
}

std::string numbers(const std::vector<ReliabilityBin>& bins) {
  std::string rows = "<thead><tr>" + column("Confidence, %", false) + column("Accuracy, %", true) +
                     column("Images", true) + "</tr></thead>\n<tbody>\n";
  for (const ReliabilityBin& bin : bins)
    if (bin.count > 0)
      rows += fmt::format(
          "<tr><td data-v=\"{0:.6f}\">{0:.1f}</td><td data-v=\"{1:.6f}\">{1:.1f}</td><td "
          "data-v=\"{2}\">{2}</td></tr>\n",
          100 * bin.confidence, 100 * bin.accuracy, bin.count);
  return rows + "</tbody>";
}

Figure picture(const ModeReport& mode, std::size_t number) {
  std::string description = "Accuracy against confidence by bin: ";
  for (const ReliabilityBin& bin : mode.reliability)
    if (bin.count > 0)
      description += fmt::format("confidence {:.0f} %, accuracy {:.0f} %, {}; ", 100 * bin.confidence,
                                 100 * bin.accuracy, count_text(bin.count, "image"));
  const std::string file = fmt::format("reliability-{}-{}", number, slug(mode.mode.name));
  Svg svg(file, kWidth, kTop + kSide + kGap + kHistogram + 34, "Reliability of " + mode.mode.name, description);
  draw_frame(svg);
  draw_bins(svg, mode.reliability);
  svg.text("quiet mid", x_of(0.5), kTop + kSide + kGap + kHistogram + 30, "confidence, %");
  const std::optional<double> ece = value_of(mode, "ece");
  return {file, mode.mode.name, ece ? "ECE " + value_text("ece", *ece) : "", std::move(svg).finish(),
          numbers(mode.reliability)};
}

}  // namespace

std::vector<Figure> reliability_figures(const View& view) {
  std::vector<Figure> out;
  for (const ModeReport& mode : view.results.modes) {
    const bool any = std::ranges::any_of(mode.reliability, [](const ReliabilityBin& bin) { return bin.count > 0; });
    if (any) out.push_back(picture(mode, out.size() + 1));
  }
  return out;
}

}  // namespace shiftnorm::report
