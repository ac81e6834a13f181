#pragma once

#include <optional>
#include <string>
#include <vector>

#include "view.hpp"

namespace shiftnorm::report {

/// What may be said, from the numbers alone. A mode is called better than the source only if its p, adjusted for
/// the modes compared (Holm), is below 1 - level; without a p, if the interval of the difference leaves out 0.
struct Verdict {
  std::string headline;              ///< one sentence
  std::vector<std::string> because;  ///< sentences
  std::optional<std::string> mode;   ///< the recommended mode; absent when that cannot be told
  std::string confidence;            ///< "high", "low", "cannot tell"
};
[[nodiscard]] Verdict verdict(const View& view);

/// Whether a comparison, which is one of the view's, shows a difference.
[[nodiscard]] bool shows_difference(const View& view, const experiment::Comparison& comparison);
/// Its p-value by Holm's adjustment over all modes compared with the source by the same metric.
[[nodiscard]] std::optional<double> adjusted_p(const View& view, const experiment::Comparison& comparison);
/// How many modes are compared with the source by this metric.
[[nodiscard]] std::size_t compared_modes(const View& view, const std::string& metric);

}  // namespace shiftnorm::report
