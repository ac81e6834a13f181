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

void add_facts(const stats::MeasuredFacts& facts, Json& out) {
  Json fingerprints = Json::array();
  for (const std::string& fingerprint : facts.fingerprints) fingerprints.push(printable(fingerprint));
  out.set("images", facts.images)
      .set("drawn", printed_or_null(facts.drawn))
      .set("shift", printed_or_null(facts.shift))
      .set("patients", container::value_or_null(facts.patients))
      .set("model_sha256", printable(facts.model_sha256))
      .set("architecture", printed_or_null(facts.architecture))
      .set("preprocess", Json::object({{"name", printed_or_null(facts.preprocess)},
                                       {"sha256", printed_or_null(facts.preprocess_sha256)}}))
      .set("data_fingerprints", std::move(fingerprints))
      .set("instruction_set", printed_or_null(facts.instruction_set))
      .set("version", printed_or_null(facts.program_version))
      .set("libraries", printed_or_null(facts.libraries));
}

Json header_json(const stats::StatisticsFile& file) {
  Json out = Json::object({{"schema", kResultsSchema},
                           {"semantics", file.semantics},
                           {"estimator", file.estimator},
                           {"batch", file.batch > 0 ? Json(file.batch) : Json()},
                           {"shuffle", printed_or_null(file.shuffle)}});
  add_facts(file, out);
  return out;
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

Json reference_json(const stats::Reference& reference) {
  Json out =
      Json::object({{"schema", kResultsSchema}, {"findings", reference.findings}, {"labelled", reference.labelled}});
  add_facts(reference, out);
  const std::vector<double> shares = reference.shares();
  Json classes = Json::array();
  for (std::size_t c = 0; c < reference.classes.size(); ++c) {
    const std::size_t group = reference.findings ? 2 * c + 1 : c;
    const double images = reference.images_of(group);
    const double own =
        static_cast<double>(reference.outputs[group * reference.classes.size() + c]) / stats::Reference::kUnit / images;
    classes.push(Json::object({{"name", printable(reference.classes[c])},
                               {"images", images},
                               {"share", shares[c]},
                               {"own_probability", std::isfinite(own) ? Json(own) : Json()}}));
  }
  out.set("classes", std::move(classes));
  return out.set("layers", static_cast<std::int64_t>(reference.layers.size()));
}

}  // namespace shiftnorm::results
