#include "shiftnorm/toolkit/run_key.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "run_session.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/libraries.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

/// Only what the reading of `data` depends on.
std::string data_text(const config::Config& config, const config::DataConfig& data) {
  config::Config only;
  only.classes = config.classes;
  only.target = data;
  return config::yaml_with_paths(only, [](const fs::path& path) { return path; });
}

std::string fingerprint_of(const std::string& where, const imaging::DatasetOptions& options, const std::string& key,
                           const std::vector<imaging::Shift>& shifts, SessionCache& cache) {
  std::unique_ptr<imaging::Dataset> dataset = cache.dataset(key, [&] { return imaging::open_dataset(where, options); });
  std::string fingerprint = cache.fingerprint(key, *dataset);
  static_cast<void>(imaging::shifted(std::move(dataset), shifts, 0));  // whether these data can be shifted
  return fingerprint;
}

}  // namespace

NetworkSource network_of(const config::ModelConfig& model) {
  return {model.architecture, model.graph, model.weights, model.allow_unused};
}

std::string network_key(const config::ModelConfig& model) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", model.checkpoint.string(), model.architecture, model.graph.string(),
                     model.weights, fmt::join(model.allow_unused, "\n"));
}

std::string source_key(const config::Config& config) { return "source\n" + data_text(config, *config.source); }

std::string data_key(const config::Config& config) {
  std::string text = data_text(config, config.target);
  if (!config.target.shifts.empty()) text += fmt::format("seed {}\n", config.seed);
  return text + (config.preprocess ? imaging::canonical(*config.preprocess) : "");
}

void SharedKeys::fill(const config::Config& config) {
  model = network_key(config.model);
  config::Config unshifted = config;
  unshifted.target.shifts.clear();
  // Only the columns that are asked for are kept with the images.
  const std::string columns = fmt::format("columns {}\n", fmt::join(columns_of(config), ","));
  target = data_text(config, unshifted.target) + columns;
  samples = data_key(config) + columns;
}

std::unique_ptr<imaging::Dataset> listed_target(const config::Config& config, const RunOptions& options) {
  SharedKeys keys;
  keys.fill(config);
  const SessionOptions session = session_options(config, options);
  imaging::DatasetOptions dataset = session.data.dataset;
  dataset.threads = options.threads;
  return options.cache->dataset(keys.target,
                                [&] { return imaging::open_dataset(session.data.path.string(), dataset); });
}

std::string run_key(const config::Config& config, const RunOptions& options) {
  SharedKeys keys;
  keys.fill(config);
  const SessionOptions session = session_options(config, options);
  const RestoredModel& model =
      options.cache->kept_model(keys.model, [&] { return restore(session.checkpoint, session.network); });
  check_folded(model, session);
  Sha256 hash;
  hash.add(fmt::format("results {}\nprogram {}\nisa {}\nlibraries {}\nmodel {}\n", results::kResultsSchema, version(),
                       exec::instruction_set(), libraries_text(computing_libraries()), model.checkpoint.sha256));
  if (!config.preprocess)
    hash.add(fmt::format("provenance {}\n", options.cache->file_hash(provenance_path(session.checkpoint).string())));
  imaging::DatasetOptions dataset = session.data.dataset;
  dataset.threads = options.threads;
  hash.add(fmt::format("target {}\n", fingerprint_of(session.data.path.string(), dataset, keys.target,
                                                     session.data.shifts, *options.cache)));
  if (session.source)
    hash.add(fmt::format("source {}\n", fingerprint_of(session.source->path.string(), session.source->dataset,
                                                       source_key(config), session.source->shifts, *options.cache)));
  config::Config nameless = config;
  nameless.name = "run";
  hash.add(config::yaml_with_paths(nameless, [&](const fs::path& path) {
    const std::string text = path.string();
    const std::size_t part = fs::exists(path) ? std::string::npos : text.rfind('#');
    return fs::path(options.cache->file_hash(text.substr(0, part)) +
                    (part == std::string::npos ? "" : text.substr(part)));
  }));
  return hash.hex();
}

}  // namespace shiftnorm::toolkit
