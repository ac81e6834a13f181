#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "shiftnorm/results/view.hpp"

namespace shiftnorm::results {

/// What target labels show about the modes.
enum class Finding {
  no_modes,      ///< none was run
  no_labels,     ///< no image has one
  no_metric,     ///< none is defined for any mode
  source_alone,  ///< there is no other mode
  no_source,     ///< there is nothing to compare with
  source_best,   ///< no mode scores above it
  not_shown,     ///< one scores above it, but that may be chance
  better,        ///< one is better than it
};

/// Drawn from the numbers alone. A mode is called better than the source only if its p, adjusted for the modes compared
/// (Holm), is below 1 - level; without a p, if the interval of the difference leaves out 0. Refers to the view's
/// results.
struct Judgement {
  Finding finding = Finding::no_modes;
  std::string metric;                      ///< that it is about: accuracy, or else the first that any mode has
  const ModeReport* best = nullptr;        ///< of the modes beside source
  const Comparison* comparison = nullptr;  ///< of `best` with source
  bool shown = false;                      ///< the comparison shows a difference
  std::optional<std::string> mode;         ///< the one to use; absent: it cannot be determined
  std::string confidence = "cannot tell";  ///< or "high", "low"
};
[[nodiscard]] Judgement judge(const View& view);

/// Whether a comparison, which is one of the view's, shows a difference.
[[nodiscard]] bool shows_difference(const View& view, const Comparison& comparison);
/// Its p-value by Holm's adjustment over all modes compared with the source by the same metric.
[[nodiscard]] std::optional<double> adjusted_p(const View& view, const Comparison& comparison);
/// How many modes are compared with the source by this metric.
[[nodiscard]] std::size_t compared_modes(const View& view, const std::string& metric);
/// Whether `a` is a better value of the metric than `b`.
[[nodiscard]] bool better(const std::string& metric, double a, double b);

}  // namespace shiftnorm::results
