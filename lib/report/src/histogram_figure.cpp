#include "histogram_figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "document.hpp"
#include "svg.hpp"

namespace shiftnorm::report {
namespace {

constexpr double kWidth = 340, kHeight = 110, kTop = 6, kAxis = 24, kMargin = 4;
constexpr std::size_t kBins = 64;

std::vector<double> heights_of(const imaging::Histogram& histogram) {
  std::int64_t most = 1;
  for (const std::int64_t n : histogram.counts()) most = std::max(most, n);
  std::vector<double> heights;
  for (const std::int64_t n : histogram.counts())
    heights.push_back(std::sqrt(static_cast<double>(n) / static_cast<double>(most)));
  return heights;
}

std::string number(double value) { return fmt::format("{:.4g}", value); }

}  // namespace

Figure histogram_figure(const Distribution& distribution, std::string_view file) {
  const imaging::Histogram h = distribution.histogram.coarser(kBins);
  const std::vector<double> heights = heights_of(h);
  const double bottom = kTop + kHeight,
               step = (kWidth - 2 * kMargin) / static_cast<double>(std::max<std::size_t>(1, heights.size()));
  const std::string deviation =
      distribution.deviation ? fmt::format(", standard deviation {}", number(*distribution.deviation)) : "";
  Svg svg(file, kWidth, bottom + kAxis, distribution.name,
          fmt::format("Histogram of {} values from {} to {}, mean {}{}.", h.values(), number(h.min()), number(h.max()),
                      number(distribution.mean), deviation));
  std::string rows = "<thead><tr>" + column("From", false) + column("Values", true) + column("Share, %", true) +
                     "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < heights.size(); ++i) {
    const double from = h.low() + static_cast<double>(i) * h.width();
    const double share =
        static_cast<double>(h.counts()[i]) / static_cast<double>(std::max<std::int64_t>(1, h.values()));
    svg.rect("bar", kMargin + static_cast<double>(i) * step, bottom - heights[i] * kHeight, std::max(0.5, step - 0.6),
             heights[i] * kHeight);
    rows += fmt::format(
        "<tr><td data-v=\"{0}\">{0:g}</td><td data-v=\"{1}\">{1}</td><td data-v=\"{2}\">{2:.2f}</td></tr>\n", from,
        h.counts()[i], 100 * share);
  }
  svg.line("axis", kMargin, bottom, kWidth - kMargin, bottom);
  const double high = h.low() + h.width() * static_cast<double>(heights.size());
  for (const double part : {0.0, 0.5, 1.0})
    svg.text(part == 0   ? "tick"
             : part == 1 ? "tick end"
                         : "tick mid",
             kMargin + part * (kWidth - 2 * kMargin), bottom + 16, number(h.low() + part * (high - h.low())));
  return {std::string(file), distribution.name,
          fmt::format("{} to {}, mean {}{}", number(h.min()), number(h.max()), number(distribution.mean),
                      distribution.deviation ? fmt::format(", sd {}", number(*distribution.deviation)) : ""),
          std::move(svg).finish(), rows + "</tbody>"};
}

std::string histogram_bars(const imaging::Histogram& histogram, std::size_t bins) {
  constexpr std::array<std::string_view, 9> kBlocks{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string out;
  for (const double height : heights_of(histogram.coarser(bins)))
    // What is there is seen, however rare.
    out += kBlocks[height == 0 ? 0 : std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(8 * height)), 1, 8)];
  return out;
}

}  // namespace shiftnorm::report
