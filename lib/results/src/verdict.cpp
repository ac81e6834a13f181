#include "shiftnorm/results/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace shiftnorm::results {
namespace {

std::optional<std::string> primary_metric(const View& view) {
  const auto defined = [&](const std::string& name) {
    return std::ranges::any_of(view.results.modes, [&](const ModeReport& m) { return value_of(m, name).has_value(); });
  };
  if (defined("accuracy")) return "accuracy";
  const auto found = std::ranges::find_if(view.metrics, defined);
  if (found == view.metrics.end()) return std::nullopt;
  return *found;
}

const ModeReport* best_other(const View& view, const std::string& metric) {
  const ModeReport* best = nullptr;
  for (const ModeReport& mode : view.results.modes) {
    const std::optional<double> value = value_of(mode, metric);
    if (&mode == view.source || !value) continue;
    if (best == nullptr || better(metric, *value, *value_of(*best, metric))) best = &mode;
  }
  return best;
}

}  // namespace

bool better(const std::string& metric, double a, double b) { return higher_is_better(metric) ? a > b : a < b; }

std::optional<double> adjusted_p(const View& view, const Comparison& comparison) {
  std::vector<double> together;
  std::optional<std::size_t> place;
  for (const ModeReport& mode : view.results.modes) {
    const Comparison* c = find_comparison(mode, comparison.metric);
    if (c == nullptr || !c->p) continue;
    if (c == &comparison) place = together.size();
    together.push_back(*c->p);
  }
  if (!place) return std::nullopt;
  return metrics::holm(together)[*place];
}

bool shows_difference(const View& view, const Comparison& c) {
  if (const std::optional<double> p = adjusted_p(view, c)) return *p < 1 - view.results.level;
  return c.interval && (c.interval->low > 0 || c.interval->high < 0);
}

std::size_t compared_modes(const View& view, const std::string& metric) {
  return static_cast<std::size_t>(std::ranges::count_if(view.results.modes, [&](const ModeReport& mode) {
    const Comparison* c = find_comparison(mode, metric);
    return &mode != view.source && c != nullptr && std::isfinite(c->difference);
  }));
}

Judgement judge(const View& view) {
  Judgement out;
  const std::optional<std::string> metric = primary_metric(view);
  if (!metric) {
    out.finding = view.results.modes.empty() ? Finding::no_modes
                  : view.labelled == 0       ? Finding::no_labels
                                             : Finding::no_metric;
    return out;
  }
  out.metric = *metric;
  out.best = best_other(view, *metric);
  if (out.best == nullptr) {
    out.finding = Finding::source_alone;
    return out;
  }
  out.comparison = find_comparison(*out.best, *metric);
  if (!source_value(view, *metric) || out.comparison == nullptr || !std::isfinite(out.comparison->difference)) {
    out.finding = Finding::no_source;
    return out;
  }
  out.shown = shows_difference(view, *out.comparison);
  const bool gains = better(*metric, out.comparison->difference, 0);
  out.finding = !gains ? Finding::source_best : out.shown ? Finding::better : Finding::not_shown;
  out.mode = gains && out.shown ? out.best->mode.name : view.source->mode.name;
  out.confidence = out.shown ? "high" : "low";
  return out;
}

}  // namespace shiftnorm::results
