#include "shiftnorm/toolkit/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "deploy.hpp"
#include "method_json.hpp"
#include "shared_numbers.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/graph/fold.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/toolkit/cohort.hpp"
#include "training_mode.hpp"

namespace shiftnorm::toolkit {
namespace {

using container::Json;

void patch(const RestoredModel& model, graph::ValueId id, std::vector<double> values, std::string_view what,
           const graph::BatchNorm& layer, std::vector<formats::Patch>& patches) {
  std::string name = id == graph::kNone ? std::string() : model.name_in_file(id);
  if (name.empty())
    throw FormatError(fmt::format("{}: layer '{}': the file has no {}; expected a vector to write to",
                                  model.checkpoint.file_name, layer.name, what));
  patches.push_back({std::move(name), std::move(values)});
}

bool held(const RestoredModel& model, graph::ValueId id) { return !model.graph.value(id).name.empty(); }

void check_finite(const stats::LayerStatistics& layer) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::ranges::all_of(layer.mean, finite) || !std::ranges::all_of(layer.variance, finite))
    throw FormatError(
        fmt::format("layer '{}': its statistics are not finite numbers; nothing was written", layer.name));
}

/// New weight and bias of a convolution. False if the file does not hold them for this convolution alone.
bool patch_convolution(const RestoredModel& model, const graph::BatchNorm& layer, const stats::LayerStatistics& now,
                       std::vector<formats::Patch>& patches) {
  graph::Refolded folded = graph::refold(model.graph, layer, now.mean, now.variance);
  for (auto [id, values] :
       {std::pair{folded.weight, &folded.weight_values}, std::pair{folded.bias, &folded.bias_values}}) {
    std::ptrdiff_t uses = 0;
    for (const graph::Node& node : model.graph.nodes()) uses += std::ranges::count(node.inputs, id);
    std::string name = model.name_in_file(id);
    const formats::NamedTensor* tensor = model.checkpoint.find(name);
    if (uses != 1 || tensor == nullptr || !tensor->origin) return false;
    patches.push_back({std::move(name), std::move(*values)});
  }
  return true;
}

/// Nothing if what is to change lies in convolutions that cannot be changed where they are.
std::optional<std::vector<formats::Patch>> patches_of(const RestoredModel& model, const stats::Statistics& statistics) {
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(model.graph);
  if (layers.size() != statistics.size())
    throw Error(fmt::format("{} layers with statistics; expected {}", statistics.size(), layers.size()));
  std::vector<formats::Patch> patches;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const graph::BatchNorm& layer = layers[i];
    const stats::LayerStatistics& now = statistics[i];
    check_finite(now);
    if (layer.folded) {
      if (!patch_convolution(model, layer, now, patches)) return std::nullopt;
      continue;
    }
    patch(model, layer.mean, now.mean, "running mean", layer, patches);
    patch(model, layer.variance, now.variance, "running variance", layer, patches);
    if (!now.plain_affine) continue;
    const auto channels = static_cast<std::size_t>(layer.channels);
    // A weight or bias that the layer was built without is 1 or 0 already, and no file holds it.
    if (held(model, layer.scale))
      patch(model, layer.scale, std::vector<double>(channels, 1.0), "weight", layer, patches);
    if (held(model, layer.bias)) patch(model, layer.bias, std::vector<double>(channels, 0.0), "bias", layer, patches);
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

/// What was assumed, without the name of the user's file: an adapted checkpoint may leave the institution.
std::vector<std::string> assumed_of(const RestoredModel& model) {
  const std::string& name = model.checkpoint.file_name;
  std::vector<std::string> texts = model.assumed();
  for (std::string& text : texts)
    for (std::size_t at = 0; !name.empty() && (at = text.find(name, at)) != std::string::npos;)
      text.replace(at, name.size(), "the file");
  return texts;
}

/// Exact from the smallest cohort on: a count of few people may reveal each.
Json patients_told(const std::optional<std::int64_t>& patients) {
  if (patients && *patients < kSmallestCohort) return Json(fmt::format("< {}", kSmallestCohort));
  return container::value_or_null(patients);
}

/// The program that measured, which need not be the one that writes.
Json measured_with(const ExportFacts& facts) {
  return Json::object({{"version", facts.measured_version.empty() ? facts.program_version : facts.measured_version},
                       {"libraries", results::libraries_json(facts.libraries)}});
}

enum class Container { original, onnx, safetensors };

/// What a file of this name is to hold.
Container container_of(const RestoredModel& model, const ExportFacts& facts) {
  const std::string extension = std::filesystem::path(facts.file_name).extension().string();
  const std::string& format = model.checkpoint.format;
  if (facts.fold && extension != ".onnx")
    throw ConfigError(
        fmt::format("folding writes a network without its BatchNorms, which '{}' cannot hold; expected a "
                    "name that ends in .onnx",
                    printable(facts.file_name)));
  if (extension == ".onnx" && (format != "onnx" || facts.fold)) return Container::onnx;
  if (extension == ".safetensors" && format != "safetensors") return Container::safetensors;
  return Container::original;
}

std::vector<std::byte> onnx_file(const RestoredModel& model, const stats::Statistics& statistics,
                                 const ExportFacts& facts, const std::map<std::string, std::string>& metadata) {
  for (const stats::LayerStatistics& layer : statistics) check_finite(layer);
  graph::Graph graph = with_statistics(model, statistics);
  try {
    graph = facts.fold ? folded(graph) : without_unfolded(graph);
    return formats::write_onnx(graph, facts.program_version, metadata);
  } catch (const Error&) {
    rethrow_at(model.checkpoint.file_name);
  }
}

void fill_files(const RestoredModel& model, const stats::Statistics& statistics, const ExportFacts& facts,
                const Json& provenance, Exported& exported) {
  const std::map<std::string, std::string> metadata{{"shiftnorm", container::write_json(provenance)}};
  const bool already = model.checkpoint.format == "onnx";
  const std::string from = already ? "to " : fmt::format("from {} to ", model.checkpoint.format);
  const Container container = container_of(model, facts);
  if (container == Container::onnx) {
    exported.bytes = onnx_file(model, statistics, facts, metadata);
    exported.converted = from + (facts.fold ? "ONNX, BatchNorms folded" : "ONNX");
    return;
  }
  const std::optional<std::vector<formats::Patch>> patches = patches_of(model, statistics);
  if (!patches && already && container == Container::original) {
    exported.bytes = onnx_file(model, statistics, facts, metadata);
    exported.converted = from + "a new ONNX file, as some of its convolutions share or compute their weights";
    return;
  }
  if (!patches)
    throw FormatError(
        fmt::format("{}: some of its convolutions share or compute their weights, which cannot be changed "
                    "in place; expected an output named .onnx",
                    model.checkpoint.file_name));
  if (container == Container::safetensors) {
    exported.bytes = formats::write_safetensors(model.checkpoint, with_other_names(model, *patches), metadata);
    exported.converted = from + "safetensors";
    return;
  }
  check_apart(model, *patches);
  std::vector<formats::OutputFile> files = formats::write_checkpoint(model.checkpoint, *patches, facts.file_name);
  exported.bytes = std::move(files.front().bytes);
  if (facts.to_inference && !model.checkpoint.in_training.empty()) {
    exported.bytes = formats::in_inference_mode(exported.bytes);
    exported.converted =
        fmt::format("from training to inference mode ({} layers)", model.checkpoint.in_training.size());
  }
  exported.companions.assign(std::make_move_iterator(files.begin() + 1), std::make_move_iterator(files.end()));
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
        fmt::format("policy {}: its statistics change with every {}, so no file can hold them; "
                    "expected a policy with fixed statistics",
                    adapt::name_of(mode.policy), mode.policy == adapt::Policy::instance ? "image" : "batch"));
}

Exported export_checkpoint(const RestoredModel& model, const stats::Statistics& statistics, const ExportFacts& facts,
                           const DataFacts& data) {
  check_exportable(facts.mode);
  may_write(model, {facts.file_name, facts.to_inference});
  const adapt::Mode& mode = facts.mode;
  const bool measured = adapt::measures(mode.policy);
  if (measured) check_cohort(data.patients, facts.small_cohort, facts.domain);
  Json preprocessing = Json::object({{"name", data.preprocess}, {"sha256", data.preprocess_sha256}});
  preprocessing.set("steps", container::text_or_null(data.preprocess_yaml));
  Json provenance = Json::object({{"schema", 1},
                                  {"program", "shiftnorm"},
                                  {"version", facts.program_version},
                                  {"instruction_set", facts.instruction_set},
                                  {"measured_with", measured ? measured_with(facts) : Json()},
                                  {"source_sha256", model.checkpoint.sha256},
                                  {"statistics_sha256", hash_of(statistics)},
                                  {"architecture", model.architecture},
                                  {"weights", model.checkpoint.sets.chosen},
                                  {"assumptions", container::texts_json(assumed_of(model))},
                                  {"preprocessing", std::move(preprocessing)},
                                  {"method", method_json(mode)},
                                  {"data_fingerprint", data.fingerprint},
                                  {"domain", container::text_or_null(facts.domain)},
                                  {"images", measured ? facts.images : std::int64_t{0}},
                                  {"patients", measured ? patients_told(data.patients) : Json()},
                                  {"cohort", measured ? Json(cohort_text(data.patients)) : Json()},
                                  {"drawn", container::text_or_null(data.drawn)},
                                  {"shift", container::text_or_null(data.shift)},
                                  {"bad", container::value_or_null(data.bad)}});
  if (!data.source_fingerprint.empty())
    provenance.set("source_sample",
                   Json::object({{"fingerprint", data.source_fingerprint}, {"images", data.source_images}}));
  if (!model.checkpoint.in_training.empty()) provenance.set("to_inference", facts.to_inference);
  Exported exported;
  fill_files(model, statistics, facts, provenance, exported);
  provenance.set("adapted_sha256", sha256_hex(exported.bytes));  // which the file itself cannot hold
  exported.provenance = container::write_json(provenance, 2) + "\n";
  return exported;
}

namespace {

/// All but the fingerprint, for which every image is hashed.
DataFacts facts_of(const Session& session, std::span<const std::size_t> images,
                   std::span<const adapt::LeftOut> left_out) {
  DataFacts facts;
  facts.preprocess = session.preprocess;
  if (!session.pipeline.steps.empty()) facts.preprocess_yaml = config::pipeline_yaml(session.pipeline);
  facts.preprocess_sha256 = session.preprocess_sha256;
  facts.source_fingerprint = session.source_fingerprint;
  facts.source_images = session.source_images;
  facts.drawn = session.drawn;
  facts.shift = session.shift;
  facts.bad = static_cast<std::int64_t>(left_out.size());
  if (!session.patients.known()) return facts;
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < images.size(); ++i)
    if (std::ranges::find(left_out, i, &adapt::LeftOut::image) == left_out.end()) used.push_back(images[i]);
  facts.patients = among(session.patients, used).count;
  return facts;
}

}  // namespace

DataFacts data_facts(const Session& session, std::span<const adapt::LeftOut> left_out) {
  DataFacts facts = facts_of(session, every_image(session.store->size()), left_out);
  facts.fingerprint = session.dataset->fingerprint();  // of bad files too
  facts.bad = *facts.bad + static_cast<std::int64_t>(session.store->bad().size());
  return facts;
}

DataFacts data_facts(const Session& session, std::span<const std::size_t> images,
                     std::span<const adapt::LeftOut> left_out) {
  DataFacts facts = facts_of(session, images, left_out);
  std::vector<std::size_t> listed;
  for (const std::size_t i : images) listed.push_back(session.store->listed(i));
  facts.fingerprint = session.dataset->fingerprint(std::move(listed));
  return facts;
}

}  // namespace shiftnorm::toolkit
