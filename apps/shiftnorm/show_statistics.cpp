#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "inspect.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/stats/layer_errors.hpp"
#include "shiftnorm/stats/settling.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::app {
namespace {

std::string header_text(const std::string& where, const stats::StatisticsFile& file) {
  return fmt::format("{}: {}, {}{}; {} images{}, {} layers\nmodel {} ({}), preprocessing {}, {}, version {}\n",
                     printable(std::filesystem::path(where).filename().string()), file.semantics, file.estimator,
                     file.batch > 0 ? fmt::format(", batches of {}", file.batch) : "", file.images,
                     file.patients ? fmt::format(" of {} patients", *file.patients) : "", file.layers.size(),
                     printable(file.model_sha256, 12), printable(file.architecture), printable(file.preprocess),
                     printable(file.instruction_set), printable(file.program_version));
}

std::size_t name_width(const stats::Statistics& layers) {
  std::size_t width = 5;
  for (const stats::LayerStatistics& layer : layers) width = std::max(width, printable(layer.name).size());
  return width;
}

std::string range_text(const std::vector<double>& values) {
  return fmt::format("{:.4g} .. {:.4g}", *std::ranges::min_element(values), *std::ranges::max_element(values));
}

}  // namespace

void show_statistics(const std::string& where, Console& console) {
  const stats::StatisticsFile file = toolkit::read_statistics_file(where);
  const std::size_t width = name_width(file.layers);
  std::string text = header_text(where, file);
  text += fmt::format("{:<{}}  {:>8}  {:>12}  {:>24}  {:>24}  {:>8}\n", "layer", width, "channels", "values", "mean",
                      "variance", "error");
  const std::vector<double> errors = stats::layer_errors(file);
  for (std::size_t i = 0; i < file.layers.size(); ++i) {
    const stats::LayerStatistics& layer = file.layers[i];
    text +=
        fmt::format("{:<{}}  {:>8}  {:>12}  {:>24}  {:>24}  {:>8}\n", printable(layer.name), width, layer.mean.size(),
                    layer.values == 0 ? "not measured" : std::to_string(layer.values), range_text(layer.mean),
                    range_text(layer.variance), std::isfinite(errors[i]) ? fmt::format("{:.4f}", errors[i]) : "-");
  }
  text += fmt::format("error: how far the estimate may be off, in standard deviations; settled below {}\n",
                      stats::kSettled);
  console.say(text);
  if (console.json()) console.print(results::statistics_json(file));
}

}  // namespace shiftnorm::app
