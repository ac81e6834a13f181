#include "shiftnorm/experiment/run_key.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "run_session.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/experiment/libraries.hpp"

namespace shiftnorm::experiment {
namespace {

namespace fs = std::filesystem;

/// Of results.json; runs of another schema are not taken for done.
constexpr int kResultsSchema = 1;

/// Only what the reading of `data` depends on.
std::string data_text(const Config& config, const DataConfig& data) {
  Config only;
  only.classes = config.classes;
  only.target = data;
  return yaml_with_paths(only, [](const fs::path& path) { return path; });
}

std::string fingerprint_of(const std::string& where, const imaging::DatasetOptions& options, const std::string& key,
                           const std::vector<imaging::Shift>& shifts, Shelf& shelf) {
  std::unique_ptr<imaging::Dataset> dataset = shelf.dataset(key, [&] { return imaging::open_dataset(where, options); });
  const std::string fingerprint = shelf.fingerprint(key, *dataset);
  static_cast<void>(imaging::shifted(std::move(dataset), shifts, 0));  // whether these data can be shifted
  return fingerprint;
}

}  // namespace

NetworkSource network_of(const ModelConfig& model) {
  return {model.architecture, model.graph, model.weights, model.allow_unused};
}

std::string network_key(const ModelConfig& model) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", model.checkpoint.string(), model.architecture, model.graph.string(),
                     model.weights, fmt::join(model.allow_unused, "\n"));
}

std::string source_key(const Config& config) { return "source\n" + data_text(config, *config.source); }

std::string data_key(const Config& config) {
  std::string text = data_text(config, config.target);
  if (!config.target.shifts.empty()) text += fmt::format("seed {}\n", config.seed);
  return text + (config.preprocess ? imaging::canonical(*config.preprocess) : "");
}

void SharedKeys::fill(const Config& config) {
  model = network_key(config.model);
  Config unshifted = config;
  unshifted.target.shifts.clear();
  // Only the columns that are asked for are kept with the images.
  const std::string columns = fmt::format("columns {}\n", fmt::join(columns_of(config), ","));
  target = data_text(config, unshifted.target) + columns;
  samples = data_key(config) + columns;
}

std::unique_ptr<imaging::Dataset> listed_target(const Config& config, const RunOptions& options, Shelf& shelf) {
  SharedKeys keys;
  keys.fill(config);
  const SessionOptions session = session_options(config, options);
  imaging::DatasetOptions dataset = session.dataset;
  dataset.threads = options.threads;
  return shelf.dataset(keys.target, [&] { return imaging::open_dataset(session.where, dataset); });
}

std::string run_key(const Config& config, const RunOptions& options, Shelf& shelf) {
  SharedKeys keys;
  keys.fill(config);
  const SessionOptions session = session_options(config, options);
  const RestoredModel& model = shelf.model(keys.model, [&] { return restore(session.checkpoint, session.network); });
  check_folded(model, session);
  Sha256 hash;
  hash.add(fmt::format("results {}\nprogram {}\nisa {}\nlibraries {}\nmodel {}\n", kResultsSchema,
                       options.program_version, options.instruction_set, libraries_text(computing_libraries()),
                       model.checkpoint.sha256));
  if (!config.preprocess)
    hash.add(fmt::format("provenance {}\n", shelf.file_hash(provenance_path(session.checkpoint).string())));
  imaging::DatasetOptions dataset = session.dataset;
  dataset.threads = options.threads;
  hash.add(fmt::format("target {}\n", fingerprint_of(session.where, dataset, keys.target, session.shifts, shelf)));
  if (session.source)
    hash.add(fmt::format("source {}\n", fingerprint_of(session.source->where, session.source->dataset,
                                                       source_key(config), session.source->shifts, shelf)));
  Config nameless = config;
  nameless.name = "run";
  hash.add(yaml_with_paths(nameless, [&](const fs::path& path) {
    const std::string text = path.string();
    const std::size_t part = fs::exists(path) ? std::string::npos : text.rfind('#');
    return fs::path(shelf.file_hash(text.substr(0, part)) + (part == std::string::npos ? "" : text.substr(part)));
  }));
  return hash.hex();
}

}  // namespace shiftnorm::experiment
