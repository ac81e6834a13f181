#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <span>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/results/tables.hpp"

namespace shiftnorm::results {
namespace {

using container::csv_field;

/// The class, or the findings of all outputs: `1;0;;1`, nothing where one is not known.
std::string label_field(const RunResults& run, std::size_t image) {
  if (run.findings.empty()) {
    const std::int32_t label = run.labels.empty() ? -1 : run.labels[image];
    return label < 0 ? "" : std::to_string(label);
  }
  const std::size_t width = run.findings.size() / run.ids.size();
  std::string text;
  for (std::size_t k = 0; k < width; ++k) {
    const std::int8_t known = run.findings[image * width + k];
    text += fmt::format("{}{}", k > 0 ? ";" : "", known < 0 ? "" : known > 0 ? "1" : "0");
  }
  return text;
}

/// Classes of a mode's outputs; the same for all modes of a run.
std::size_t classes_of(const RunResults& run) {
  std::size_t classes = 0;
  for (const ModeReport& mode : run.modes) {
    if (mode.probabilities.empty()) continue;
    const std::size_t here = run.ids.empty() ? 0 : mode.probabilities.size() / run.ids.size();
    if (here == 0 || here * run.ids.size() != mode.probabilities.size() || (classes != 0 && here != classes))
      throw ShapeError(fmt::format("predictions of mode '{}': {} probabilities for {} images; expected {} classes each",
                                   mode.mode.name, mode.probabilities.size(), run.ids.size(),
                                   classes == 0 ? "the same number of" : std::to_string(classes)));
    classes = here;
  }
  if (!run.labels.empty() && run.labels.size() != run.ids.size())
    throw ShapeError(
        fmt::format("predictions: {} labels; expected {}, one for each image", run.labels.size(), run.ids.size()));
  return classes;
}

}  // namespace

std::string predictions_csv(const RunResults& run) {
  const std::size_t classes = classes_of(run);
  std::string out = "id,label,mode,predicted";
  for (std::size_t k = 0; k < classes; ++k) out += fmt::format(",p_{}", k);
  out += '\n';
  for (const ModeReport& mode : run.modes) {
    if (mode.probabilities.empty()) continue;
    const std::string name = csv_field(mode.mode.name);
    // The labels play no part in what is predicted.
    const std::vector<std::int32_t> guess = metrics::predicted(
        {static_cast<std::int64_t>(classes), std::vector<std::int32_t>(run.ids.size(), 0), mode.probabilities});
    for (std::size_t i = 0; i < run.ids.size(); ++i) {
      const bool one = run.findings.empty() && guess[i] >= 0;
      out += fmt::format("{},{},{},{}", csv_field(run.ids[i]), label_field(run, i), name,
                         one ? std::to_string(guess[i]) : "");
      for (const double p : std::span(mode.probabilities).subspan(i * classes, classes)) {
        out += ',';
        if (!std::isnan(p)) fmt::format_to(std::back_inserter(out), "{:.9g}", p);
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace shiftnorm::results
