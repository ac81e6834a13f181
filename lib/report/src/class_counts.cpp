#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "document.hpp"
#include "format.hpp"
#include "plot.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using results::ModeReport;

constexpr double kWidth = 340, kLeft = 38, kRight = 336, kTop = 8, kPanel = 110;
constexpr std::size_t kMostBars = 40, kMostNamed = 12, kMostRows = 200;

/// How many images each class has by label, and by prediction. Images without a label count only if none has one.
struct Counts {
  std::vector<std::int64_t> labels, predicted;
};

std::optional<Counts> counts_of(const View& view, const ModeReport& mode) {
  const std::size_t images = view.results.ids.size();
  if (images == 0 || mode.probabilities.empty() || mode.probabilities.size() % images != 0) return std::nullopt;
  const std::size_t classes = mode.probabilities.size() / images;
  // Several findings of an image are not a class that it belongs to.
  const bool one_each = std::ranges::any_of(view.results.labels, [](std::int32_t label) { return label >= 0; });
  if (classes < 2 || (view.labelled > 0 && !one_each)) return std::nullopt;
  Counts counts{std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes)};
  for (std::size_t i = 0; i < images; ++i) {
    const std::int32_t label = i < view.results.labels.size() ? view.results.labels[i] : -1;
    if (view.labelled > 0 && label < 0) continue;
    if (label >= 0 && static_cast<std::size_t>(label) < classes) ++counts.labels[static_cast<std::size_t>(label)];
    const auto row = mode.probabilities.begin() + static_cast<std::ptrdiff_t>(i * classes);
    const auto end = row + static_cast<std::ptrdiff_t>(classes);
    if (std::none_of(row, end, [](double p) { return std::isnan(p); }))
      ++counts.predicted[static_cast<std::size_t>(std::max_element(row, end) - row)];
  }
  return counts;
}

/// Neighbouring classes together where there are too many to draw.
std::vector<std::int64_t> grouped(const std::vector<std::int64_t>& counts, std::size_t together) {
  std::vector<std::int64_t> out((counts.size() + together - 1) / together);
  for (std::size_t c = 0; c < counts.size(); ++c) out[c / together] += counts[c];
  return out;
}

std::string numbers(const View& view, const Counts& counts) {
  std::vector<std::size_t> order(counts.labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto gap = [&](std::size_t c) { return std::abs(counts.predicted[c] - counts.labels[c]); };
  if (order.size() > kMostRows) {
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return gap(a) > gap(b); });
    order.resize(kMostRows);
  }
  std::string rows = "<thead><tr>" + column("Class", false, true) +
                     (view.labelled > 0 ? column("Labels", true) : std::string()) + column("Predicted", true) +
                     "</tr></thead>\n<tbody>\n";
  for (const std::size_t c : order) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", html(class_name(view, c)));
    if (view.labelled > 0) rows += fmt::format("<td data-v=\"{0}\">{0}</td>", counts.labels[c]);
    rows += fmt::format("<td data-v=\"{0}\">{0}</td></tr>\n", counts.predicted[c]);
  }
  return rows + "</tbody>";
}

Figure picture(const View& view, const ModeReport& mode, const Counts& counts, double top, std::size_t number) {
  const std::size_t classes = counts.labels.size(), together = (classes + kMostBars - 1) / kMostBars;
  const std::vector<std::int64_t> labels = grouped(counts.labels, together),
                                  predicted = grouped(counts.predicted, together);
  const bool named = classes <= kMostNamed;
  const Panel panel{kLeft, kTop, kRight, kTop + kPanel, 0, 1, 0, top};
  const double step = (kRight - kLeft) / static_cast<double>(labels.size());
  const auto most = static_cast<std::size_t>(std::ranges::max_element(counts.predicted) - counts.predicted.begin());
  const auto used = std::ranges::count_if(counts.predicted, [](std::int64_t n) { return n > 0; });
  const std::string file = fmt::format("classes-{}-{}", number, slug(mode.mode.name));
  Svg svg(file, kWidth, panel.bottom + (named ? 74 : 34), "Predicted classes of " + mode.mode.name,
          fmt::format("{} of {} classes are predicted; the commonest is {}, {} times.", used, classes,
                      class_name(view, most), counts.predicted[most]));
  draw_rows(svg, panel, {0, top / 2, top});
  for (std::size_t g = 0; g < labels.size(); ++g) {
    const double x = kLeft + static_cast<double>(g) * step;
    const double y = panel.y(static_cast<double>(predicted[g]));
    svg.rect(&mode == view.source ? "bar source" : "bar", x + step * 0.12, y, step * 0.76, panel.bottom - y);
    if (view.labelled > 0) {
      const double at = panel.y(static_cast<double>(labels[g]));
      svg.line("label", x + step * 0.02, at, x + step * 0.98, at);
    }
    if (named) svg.upright("tick end", x + step / 2 + 4, panel.bottom + 6, shortened(class_name(view, g), 11));
  }
  svg.line("axis", kLeft, panel.bottom, kRight, panel.bottom);
  if (!named) {
    svg.text("tick", kLeft, panel.bottom + 15, "class 1")
        .text("tick end", kRight, panel.bottom + 15, fmt::format("{}", classes));
    if (together > 1)
      svg.text("quiet mid", (kLeft + kRight) / 2, panel.bottom + 15, fmt::format("{} classes in a bar", together));
  }
  return {file, mode.mode.name, fmt::format("{} of {} classes", used, classes), std::move(svg).finish(),
          numbers(view, counts)};
}

}  // namespace

std::vector<Figure> class_figures(const View& view) {
  std::vector<std::pair<const ModeReport*, Counts>> all;
  double most = 0;  // one scale for all, so that they can be compared
  for (const ModeReport& mode : view.results.modes)
    if (std::optional<Counts> counts = counts_of(view, mode)) {
      const std::size_t together = (counts->labels.size() + kMostBars - 1) / kMostBars;
      for (const auto* list : {&counts->labels, &counts->predicted})
        for (const std::int64_t n : grouped(*list, together)) most = std::max(most, static_cast<double>(n));
      all.emplace_back(&mode, std::move(*counts));
    }
  std::vector<Figure> out;
  out.reserve(all.size());
  for (const auto& [mode, counts] : all)
    out.push_back(picture(view, *mode, counts, nice_ceiling(most), out.size() + 1));
  return out;
}

}  // namespace shiftnorm::report
