#include "shiftnorm/toolkit/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "kept_config.hpp"
#include "labelled_source.hpp"
#include "run_session.hpp"
#include "runner.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/toolkit/recommend.hpp"
#include "shiftnorm/toolkit/run_key.hpp"

namespace shiftnorm::toolkit {

std::vector<std::string> columns_of(const config::Config& config) {
  std::set<std::string> columns(config.evaluate.subgroups.begin(), config.evaluate.subgroups.end());
  if (config.target.domain) columns.insert(config.target.domain->key);
  for (const std::string& by : {config.protocol.by, config.evaluate.by})
    if (!by.empty() && by != "patient" && by != "image") columns.insert(by);
  return {columns.begin(), columns.end()};
}

SessionOptions session_options(const config::Config& config, const RunOptions& options) {
  SessionOptions session;
  session.checkpoint = config.model.checkpoint;
  session.network = network_of(config.model);
  session.reference = config.model.reference;
  session.data = config.target;
  session.data.dataset.classes = config.classes;
  session.data.dataset.keep = columns_of(config);
  session.source = config.source;
  session.shift_seed = config.seed;
  session.modes = config.modes;
  session.labelled_source = config.source && config.evaluate.label_free;
  if (config.exported) session.written = {config.exported->path.filename().string(), config.exported->to_inference};
  session.preprocess = config.preprocess;
  session.outputs = config.model.outputs;
  session.threads = options.threads;
  session.memory = options.memory;
  session.cache = options.cache;
  session.shared.fill(config);
  return session;
}

namespace {

/// Sigmoid outputs are not a choice among classes.
void advise(results::RunResults& results, const Session& session, const std::optional<metrics::Predictions>& source) {
  if (session.classifies() && session.outputs != config::OutputKind::sigmoid)
    fill_label_free(results, source ? &*source : nullptr);
  results.recommendation = recommend(results);
}

}  // namespace

bool BadLimit::exceeded(Seen seen) const {
  if (seen.bad <= 1) return false;
  const double allowed = percent ? value / 100 * static_cast<double>(seen.usable + seen.bad) : value;
  return static_cast<double>(seen.bad) > allowed;
}

std::vector<std::string> output_names(const Session& session) {
  std::vector<std::string> names = session.dataset->classes();
  if (!std::cmp_equal(names.size(), session.engine->outputs())) {
    names.clear();
    for (std::int64_t i = 0; i < session.engine->outputs(); ++i) names.push_back(std::to_string(i));
  }
  return names;
}

results::LabelCounts counts_of(const imaging::LabelCounts& counts) {
  return {counts.file,     counts.by, counts.matched, counts.images_without_label, counts.labels_without_image,
          counts.ambiguous};
}

std::vector<results::BadFile> bad_files(const Session& session, std::span<const adapt::LeftOut> left_out) {
  std::vector<results::BadFile> out;
  for (const imaging::Bad& one : session.store->bad()) out.push_back({one.id, one.reason, one.kind, one.offset});
  for (const adapt::LeftOut& one : left_out) out.push_back({session.store->sample(one.image).id, one.reason});
  return out;
}

std::vector<std::string> notes_on_bad(std::span<const results::BadFile> bad) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> notes;
  for (const results::BadFile& one : bad.first(std::min(bad.size(), kMostNamed)))
    notes.push_back(fmt::format("{}: {}; left out", printable(one.id), printable(one.reason)));
  if (bad.size() > kMostNamed)
    notes.push_back(fmt::format("{} more files were bad and left out", bad.size() - kMostNamed));
  return notes;
}

results::RunResults describe(const Session& session) {
  results::RunResults results;
  results.program_version = version();
  results.instruction_set = exec::instruction_set();
  results.libraries = computing_libraries();
  results.model_sha256 = session.model.checkpoint.sha256;
  results.model_file = session.model.checkpoint.file_name;
  results.architecture = session.model.architecture;
  results.assumptions = session.model.assumed();
  results.preprocess = session.preprocess;
  results.preprocess_sha256 = session.preprocess_sha256;
  results.fingerprint = session.dataset->fingerprint();
  results.batchnorms = static_cast<std::int64_t>(session.engine->batch_norms().size());
  results.levels = session.levels();
  results.parameters = session.model.parameters;
  results.images = static_cast<std::int64_t>(session.store->size());
  results.skipped = session.dataset->skipped();
  if (const imaging::LabelCounts* counts = session.dataset->label_counts()) results.label_counts = counts_of(*counts);
  results.patients = session.patient_count();
  results.repeated = session.repeated();
  results.bad = bad_files(session, {});
  results.classes = output_names(session);
  if (!session.classifies() && !session.model.features) results.maps = session.output().text();
  results.ids = session.ids();
  results.labels = session.labels();
  results.findings = session.findings();
  results.labelled = session.labelled();
  results.load_seconds = session.load_seconds;
  return results;
}

RunOutcome run_experiment(const config::Config& config, const RunOptions& options, const Progress& progress) {
  Session session = open_session(session_options(config, options), progress);
  RunOutcome outcome;
  outcome.notes = config.notes;
  outcome.notes.insert(outcome.notes.end(), session.notes.begin(), session.notes.end());
  outcome.dataset = session.dataset;
  results::RunResults& results = outcome.results;
  results = describe(session);
  // Once the images were read, their digests are known.
  results.id = options.id.empty() ? run_key(config, options) : options.id;
  results.name = config.name;
  results.seed = config.seed;
  results.command = options.command;
  describe_config(config, options, session, outcome);
  results.interval = config.evaluate.interval;
  results.level = config.evaluate.level;
  results.resamples = config.evaluate.resamples;

  run_modes(config, options, session, outcome, progress);
  if (config.evaluate.label_free) {
    std::optional<metrics::Predictions> source;
    const std::size_t told = session.notes.size();
    if (config.source) source = labelled_source(config, session, options, results.id, progress);
    outcome.notes.insert(outcome.notes.end(), session.notes.begin() + static_cast<std::ptrdiff_t>(told),
                         session.notes.end());
    advise(results, session, source);
  }
  return outcome;
}

}  // namespace shiftnorm::toolkit
