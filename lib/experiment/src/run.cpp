#include "shiftnorm/experiment/run.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/experiment/scoring.hpp"
#include "shiftnorm/experiment/statistics.hpp"

namespace shiftnorm::experiment {
namespace {

SessionOptions session_options(const Config& config, const RunOptions& options) {
  SessionOptions session;
  session.checkpoint = config.model.checkpoint;
  session.architecture = config.model.architecture;
  session.where = config.target.path.string();
  session.dataset = {config.target.limit, config.target.reader, config.target.layout, config.classes,
                     config.target.dicom};
  session.shifts = config.target.shifts;
  session.shift_seed = config.seed;
  session.preprocess = config.preprocess;
  session.outputs = config.model.outputs;
  session.threads = options.threads;
  session.memory = options.memory;
  return session;
}

adapt::ModeResult run_mode(Session& session, const adapt::Mode& mode, const Progress& progress) {
  progress.check();
  Progress named = progress;
  if (progress.report)
    named.report = [&](std::string_view stage, std::int64_t done, std::int64_t total) {
      progress.report(fmt::format("{}: {}", mode.name, stage), done, total);
    };
  try {
    // The same object twice: transductive, so a layerwise sweep's last frontier is the prediction.
    return session.engine->run(mode, session.images, &session.images, named);
  } catch (const Error&) {
    rethrow_at(fmt::format("mode '{}'", mode.name));
  }
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

RunResults describe(const Session& session) {
  RunResults results;
  results.model_sha256 = session.model.checkpoint.sha256;
  results.model_file = session.model.checkpoint.file_name;
  results.architecture = session.model.architecture;
  results.preprocess = session.preprocess;
  results.preprocess_sha256 = session.preprocess_sha256;
  results.fingerprint = session.dataset->fingerprint();
  results.batchnorms = static_cast<std::int64_t>(session.engine->batch_norms().size());
  results.levels = session.levels();
  results.parameters = session.model.parameters;
  results.images = static_cast<std::int64_t>(session.store->size());
  results.skipped = session.dataset->skipped();
  results.bad = session.store->bad();
  results.classes = output_names(session);
  results.ids = session.ids();
  results.labels = session.labels();
  results.load_seconds = session.load_seconds;
  return results;
}

RunOutcome run_experiment(const Config& config, const RunOptions& options, const Progress& progress) {
  Session session = open_session(session_options(config, options), progress);
  RunOutcome outcome;
  outcome.notes = session.notes;
  if (config.source) outcome.notes.emplace_back("data.source is not used: no mode of this version measures it");
  RunResults& results = outcome.results;
  results = describe(session);
  results.name = config.name;
  results.seed = config.seed;
  results.program_version = options.program_version;
  results.instruction_set = options.instruction_set;
  results.command = options.command;
  results.config_yaml = shareable_yaml(config);
  outcome.config_yaml = resolved_yaml(config, options.folder);
  results.level = config.evaluate.level;
  results.resamples = config.evaluate.resamples;

  const Scorer scorer{config.evaluate, config.seed, session.outputs, results.labels, options.threads};
  for (const adapt::Mode& mode : config.modes) {
    const adapt::ModeResult result = run_mode(session, mode, progress);
    results.modes.push_back(scorer.report(mode, result));
    const ExportFacts facts{config.exported ? config.exported->path.filename().string() : std::string(), mode,
                            result.adapted_images, options.instruction_set, options.program_version};
    if (!result.measured.empty()) {
      results.modes.back().drift = stats::distances(session.engine->source(), result.measured);
      outcome.statistics.emplace_back(mode.name,
                                      stats::write_statistics(statistics_file(session, result.measured, facts)));
    }
    if (config.exported && config.exported->mode == mode.name) {
      outcome.exported = export_checkpoint(session, result.statistics, facts);
      results.exported_mode = mode.name;
      results.exported_file = config.exported->path.filename().string();
    }
  }
  // Comparisons come last: `source` need not be the first mode.
  for (const ModeReport& source : results.modes) {
    if (source.mode.policy != adapt::Policy::source) continue;
    for (ModeReport& report : results.modes)
      if (&report != &source) scorer.compare(report, source);
    break;
  }
  return outcome;
}

}  // namespace shiftnorm::experiment
