#include "shiftnorm/experiment/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::experiment {
namespace {

using container::Json;

void patch(const RestoredModel& model, graph::ValueId id, std::vector<double> values, std::string_view what,
           const graph::BatchNorm& layer, std::vector<formats::Patch>& patches) {
  std::string name = id == graph::kNone ? std::string() : model.name_in_file(id);
  if (name.empty())
    throw FormatError(fmt::format("{}: layer '{}': the file holds no {}; expected a vector to write to",
                                  model.checkpoint.file_name, layer.name, what));
  patches.push_back({std::move(name), std::move(values)});
}

void check_finite(const stats::LayerStatistics& layer) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::ranges::all_of(layer.mean, finite) || !std::ranges::all_of(layer.variance, finite))
    throw FormatError(
        fmt::format("layer '{}': its statistics are not finite numbers; nothing was written", layer.name));
}

std::vector<formats::Patch> patches_of(const RestoredModel& model, const stats::Statistics& statistics) {
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(model.graph);
  if (layers.size() != statistics.size())
    throw Error(fmt::format("{} layers with statistics; expected {}", statistics.size(), layers.size()));
  std::vector<formats::Patch> patches;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const graph::BatchNorm& layer = layers[i];
    const stats::LayerStatistics& now = statistics[i];
    check_finite(now);
    patch(model, layer.mean, now.mean, "running mean", layer, patches);
    patch(model, layer.variance, now.variance, "running variance", layer, patches);
    if (now.plain_affine && layer.affine) {
      const auto channels = static_cast<std::size_t>(layer.channels);
      patch(model, layer.scale, std::vector<double>(channels, 1.0), "weight", layer, patches);
      patch(model, layer.bias, std::vector<double>(channels, 0.0), "bias", layer, patches);
    }
  }
  return patches;
}

std::string hash_of(const stats::Statistics& statistics) {
  Sha256 hash;
  for (const stats::LayerStatistics& layer : statistics) {
    hash.add(layer.name).add(layer.plain_affine ? " plain " : " affine ");
    hash.add(std::as_bytes(std::span<const double>(layer.mean)))
        .add(std::as_bytes(std::span<const double>(layer.variance)));
  }
  return hash.hex();
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json or_null(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); }
Json strings(const std::vector<std::string>& texts) {
  Json json = Json::array();
  for (const std::string& text : texts) json.push(text);
  return json;
}

Json layers_of(const adapt::LayerRule& rule) {
  if (rule == adapt::LayerRule{}) return {};
  return Json::object({{"include", strings(rule.include)},
                       {"exclude", strings(rule.exclude)},
                       {"first", or_null(rule.first)},
                       {"last", or_null(rule.last)},
                       {"min_level", or_null(rule.min_level)},
                       {"max_level", or_null(rule.max_level)}});
}

}  // namespace

std::filesystem::path provenance_path(const std::filesystem::path& file) {
  std::filesystem::path beside = file;
  beside += ".provenance.json";
  return beside;
}

void check_exportable(const adapt::Mode& mode) {
  if (!adapt::exportable(mode.policy))
    throw ConfigError(
        fmt::format("policy {}: its statistics change with every {}, so no file can hold them; expected a policy with "
                    "fixed statistics",
                    adapt::name_of(mode.policy), mode.policy == adapt::Policy::instance ? "image" : "batch"));
}

Exported export_checkpoint(const RestoredModel& model, const stats::Statistics& statistics, const ExportFacts& facts,
                           const DataFacts& data) {
  check_exportable(facts.mode);
  Exported exported;
  std::vector<formats::OutputFile> files =
      formats::write_checkpoint(model.checkpoint, patches_of(model, statistics), facts.file_name);
  exported.bytes = std::move(files.front().bytes);
  exported.companions.assign(std::make_move_iterator(files.begin() + 1), std::make_move_iterator(files.end()));

  const adapt::Mode& mode = facts.mode;
  const bool measured = adapt::measures(mode.policy);
  Json preprocessing = Json::object({{"name", data.preprocess}, {"sha256", data.preprocess_sha256}});
  preprocessing.set("steps", data.preprocess_yaml.empty() ? Json() : Json(data.preprocess_yaml));
  Json method = Json::object({{"policy", adapt::name_of(mode.policy)}});
  if (measured) {
    method.set("semantics", adapt::name_of(mode.semantics)).set("estimator", adapt::name_of(mode.estimator));
    method.set("batch", mode.semantics == adapt::Semantics::batch ? Json(mode.batch) : Json());
    method.set("momentum", or_null(mode.momentum)).set("shuffle", mode.shuffle ? Json(*mode.shuffle) : Json());
    method.set("source_weight", or_null(mode.source_weight)).set("prior_images", or_null(mode.prior_images));
  }
  method.set("layers", layers_of(mode.layers));
  const Json provenance = Json::object({{"schema", 1},
                                        {"program", "shiftnorm"},
                                        {"version", facts.program_version},
                                        {"instruction_set", facts.instruction_set},
                                        {"source_sha256", model.checkpoint.sha256},
                                        {"adapted_sha256", sha256_hex(exported.bytes)},
                                        {"statistics_sha256", hash_of(statistics)},
                                        {"architecture", model.architecture},
                                        {"preprocessing", std::move(preprocessing)},
                                        {"method", std::move(method)},
                                        {"data_fingerprint", data.fingerprint},
                                        {"domain", facts.domain.empty() ? Json() : Json(facts.domain)},
                                        {"images", measured ? facts.images : std::int64_t{0}},
                                        {"patients", nullptr},
                                        {"bad", or_null(data.bad)}});
  exported.provenance = container::write_json(provenance, 2) + "\n";
  return exported;
}

DataFacts data_facts(const Session& session) {
  return {session.preprocess, session.preprocess_yaml, session.preprocess_sha256, session.dataset->fingerprint(),
          static_cast<std::int64_t>(session.store->bad().size())};
}

Exported export_checkpoint(const Session& session, const stats::Statistics& statistics, const ExportFacts& facts) {
  return export_checkpoint(session.model, statistics, facts, data_facts(session));
}

}  // namespace shiftnorm::experiment
