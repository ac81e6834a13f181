#include <cmath>

#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/stats/layer_errors.hpp"

namespace shiftnorm::results {
namespace {

using container::Json;

Json printed_or_null(const std::string& text) { return container::text_or_null(printable(text)); }

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push(value);
  return out;
}

Json header_json(const stats::StatisticsFile& file) {
  Json fingerprints = Json::array();
  for (const std::string& fingerprint : file.fingerprints) fingerprints.push(printable(fingerprint));
  return Json::object({{"schema", kResultsSchema},
                       {"semantics", file.semantics},
                       {"estimator", file.estimator},
                       {"batch", file.batch > 0 ? Json(file.batch) : Json()},
                       {"shuffle", printed_or_null(file.shuffle)},
                       {"images", file.images},
                       {"drawn", printed_or_null(file.drawn)},
                       {"shift", printed_or_null(file.shift)},
                       {"patients", container::value_or_null(file.patients)},
                       {"model_sha256", printable(file.model_sha256)},
                       {"architecture", printed_or_null(file.architecture)},
                       {"preprocess", Json::object({{"name", printed_or_null(file.preprocess)},
                                                    {"sha256", printed_or_null(file.preprocess_sha256)}})},
                       {"data_fingerprints", std::move(fingerprints)},
                       {"instruction_set", printed_or_null(file.instruction_set)},
                       {"version", printed_or_null(file.program_version)},
                       {"libraries", printed_or_null(file.libraries)}});
}

}  // namespace

Json statistics_json(const stats::StatisticsFile& file) {
  const std::vector<double> errors = stats::layer_errors(file);
  Json layers = Json::array();
  for (std::size_t i = 0; i < file.layers.size(); ++i) {
    const stats::LayerStatistics& layer = file.layers[i];
    layers.push(Json::object({{"name", printable(layer.name)},
                              {"channels", static_cast<std::int64_t>(layer.mean.size())},
                              {"values", layer.values},
                              {"images", layer.images},
                              {"batches", layer.batches},
                              {"exact", layer.sums.channels() > 0},
                              {"error", std::isfinite(errors[i]) ? Json(errors[i]) : Json()},
                              {"mean", numbers(layer.mean)},
                              {"variance", numbers(layer.variance)}}));
  }
  return header_json(file).set("layers", std::move(layers));
}

}  // namespace shiftnorm::results
