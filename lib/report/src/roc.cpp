#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "document.hpp"
#include "format.hpp"
#include "plot.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

using metrics::Predictions;
using results::ModeReport;

constexpr double kWidth = 232, kLeft = 34, kTop = 8, kSide = 190, kAxis = 34;
constexpr std::size_t kPoints = 101, kBins = 4096, kMostCurves = 10;
constexpr double kReach = 40;  ///< of the log-odds: beyond it probabilities are 0 or 1 in double

/// True positive rates at evenly spaced false positive rates.
using Curve = std::array<double, kPoints>;

std::size_t bin_of(double p) {
  const double odds = std::log(p) - std::log1p(-p);
  const double place = (std::clamp(odds, -kReach, kReach) + kReach) / (2 * kReach);
  return std::min(kBins - 1, static_cast<std::size_t>(place * kBins));
}

/// One class against the rest, by a fine histogram of log-odds: enough to draw, whatever the number of images. Nothing
/// unless both occur.
std::optional<Curve> curve_of(const Predictions& predictions, std::int64_t positive) {
  std::vector<std::int64_t> hits(kBins), misses(kBins);
  std::int64_t all_hits = 0, all_misses = 0;
  const auto classes = static_cast<std::size_t>(predictions.classes);
  for (std::size_t i = 0; i < predictions.images(); ++i) {
    const double p = predictions.probabilities[i * classes + static_cast<std::size_t>(positive)];
    if (std::isnan(p)) continue;
    const bool hit = predictions.labels[i] == positive;
    ++(hit ? hits : misses)[bin_of(p)];
    ++(hit ? all_hits : all_misses);
  }
  if (all_hits == 0 || all_misses == 0) return std::nullopt;
  Curve curve{};
  double fpr = 0, tpr = 0;
  std::size_t next = 0;
  for (std::size_t bin = kBins; bin-- > 0;) {
    if (hits[bin] + misses[bin] == 0) continue;
    const double to_fpr = fpr + static_cast<double>(misses[bin]) / static_cast<double>(all_misses);
    const double to_tpr = tpr + static_cast<double>(hits[bin]) / static_cast<double>(all_hits);
    if (misses[bin] > 0)
      for (; next < kPoints; ++next) {
        const double at = static_cast<double>(next) / (kPoints - 1);
        if (at >= to_fpr) break;
        // Images of one bin are tied: a straight line (at 0 what stood there before).
        curve[next] = tpr + (to_tpr - tpr) * (at - fpr) / (to_fpr - fpr);
      }
    fpr = to_fpr;
    tpr = to_tpr;
  }
  for (; next < kPoints; ++next) curve[next] = 1;
  return curve;
}

/// The curves of the classes, and their mean at each false positive rate.
struct Roc {
  std::vector<Curve> classes;
  Curve mean{};
};

std::optional<Roc> roc_of(const View& view, const ModeReport& mode) {
  const std::optional<Predictions> predictions = labelled_predictions(view, mode);
  if (!predictions || predictions->classes < 2) return std::nullopt;
  Roc roc;
  std::size_t counted = 0;
  for (std::int64_t c = predictions->classes == 2 ? 1 : 0; c < predictions->classes; ++c) {
    const std::optional<Curve> curve = curve_of(*predictions, c);
    if (!curve) continue;
    ++counted;
    for (std::size_t i = 0; i < kPoints; ++i) roc.mean[i] += (*curve)[i];
    if (roc.classes.size() <= kMostCurves) roc.classes.push_back(*curve);
  }
  if (counted == 0) return std::nullopt;
  for (double& v : roc.mean) v /= static_cast<double>(counted);
  if (counted == 1 || roc.classes.size() > kMostCurves) roc.classes.clear();
  return roc;
}

std::vector<Point> points_of(const Panel& panel, const Curve& curve) {
  std::vector<Point> points{{panel.x(0), panel.y(0)}};
  for (std::size_t i = 0; i < kPoints; ++i)
    points.push_back({panel.x(static_cast<double>(i) / (kPoints - 1)), panel.y(curve[i])});
  return points;
}

std::string numbers(const Curve& curve) {
  std::string rows = "<thead><tr>" + column("False positive rate", false) + column("True positive rate", true) +
                     "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < kPoints; i += 5)
    rows += fmt::format("<tr><td data-v=\"{0}\">{0:.2f}</td><td data-v=\"{1:.6f}\">{1:.3f}</td></tr>\n",
                        static_cast<double>(i) / (kPoints - 1), curve[i]);
  return rows + "</tbody>";
}

Figure picture(const ModeReport& mode, const Roc& roc, const Roc* source, std::size_t number) {
  const Panel panel{kLeft, kTop, kLeft + kSide, kTop + kSide};
  const std::string file = fmt::format("roc-{}-{}", number, slug(mode.mode.name));
  std::string description = "True positive rate at false positive rates: ";
  for (const std::size_t percent : {5U, 10U, 20U, 50U})
    description += fmt::format("{} %: {:.0f} %; ", percent, 100 * roc.mean[percent]);
  Svg svg(file, kWidth, panel.bottom + kAxis, "ROC of " + mode.mode.name, description);
  for (const double v : {0.0, 0.5, 1.0}) {
    svg.line("grid", panel.x(v), panel.top, panel.x(v), panel.bottom)
        .line("grid", panel.left, panel.y(v), panel.right, panel.y(v));
    svg.text("tick end", panel.left - 5, panel.y(v) + 4, fmt::format("{:g}", 100 * v));
    svg.text(v == 0   ? "tick"
             : v == 1 ? "tick end"
                      : "tick mid",
             panel.x(v), panel.bottom + 15, fmt::format("{:g}", 100 * v));
  }
  svg.line("reference", panel.x(0), panel.y(0), panel.x(1), panel.y(1));
  for (const Curve& one : roc.classes) svg.curve("curve faint", points_of(panel, one));
  if (source != nullptr) svg.curve("curve source", points_of(panel, source->mean));
  svg.curve(source == nullptr ? "curve source" : "curve", points_of(panel, roc.mean));
  svg.text("quiet mid", panel.x(0.5), panel.bottom + 30, "false positives, %");
  const std::optional<double> area = value_of(mode, "auroc");
  return {file, mode.mode.name, area ? "AUROC " + value_text("auroc", *area) : "", std::move(svg).finish(),
          numbers(roc.mean)};
}

}  // namespace

std::vector<Figure> roc_figures(const View& view) {
  std::vector<Figure> out;
  const std::optional<Roc> source = view.source == nullptr ? std::nullopt : roc_of(view, *view.source);
  for (const ModeReport& mode : view.results.modes) {
    const bool is_source = &mode == view.source;
    const std::optional<Roc> own = is_source ? source : roc_of(view, mode);
    if (own) out.push_back(picture(mode, *own, is_source || !source ? nullptr : &*source, out.size() + 1));
  }
  return out;
}

}  // namespace shiftnorm::report
