#include "shiftnorm/experiment/run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "labelled_source.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/experiment/domains.hpp"
#include "shiftnorm/experiment/scoring.hpp"
#include "shiftnorm/experiment/statistics.hpp"

namespace shiftnorm::experiment {
namespace {

SessionOptions session_options(const Config& config, const RunOptions& options) {
  SessionOptions session;
  session.checkpoint = config.model.checkpoint;
  session.network = {config.model.architecture, config.model.graph};
  session.where = config.target.path.string();
  session.dataset.limit = config.target.limit;
  session.dataset.reader = config.target.reader;
  session.dataset.layout = config.target.layout;
  session.dataset.classes = config.classes;
  session.dataset.labels = config.target.labels;
  session.dataset.where = config.target.where;
  if (config.target.domain) session.dataset.keep = {config.target.domain->key};
  session.dataset.dicom = config.target.dicom;
  session.shifts = config.target.shifts;
  session.shift_seed = config.seed;
  if (config.source) {
    SourceSample& sample = session.source.emplace();
    sample.where = config.source->path.string();
    sample.dataset.limit = config.source->limit;
    sample.dataset.reader = config.source->reader;
    sample.dataset.layout = config.source->layout;
    sample.dataset.labels = config.source->labels;
    sample.dataset.where = config.source->where;
    sample.dataset.dicom = config.source->dicom;
    sample.shifts = config.source->shifts;
  }
  session.modes = config.modes;
  session.preprocess = config.preprocess;
  session.outputs = config.model.outputs;
  session.threads = options.threads;
  session.memory = options.memory;
  return session;
}

/// The modes of a run, one after the other, into its outcome.
class Runner {
 public:
  Runner(const Config& config, const RunOptions& options, Session& session, RunOutcome& outcome,
         const Progress& progress)
      : config_(config),
        options_(options),
        session_(session),
        outcome_(outcome),
        progress_(progress),
        scorer_{config.evaluate,        config.seed,     session.outputs,
                outcome.results.labels, options.threads, session.classifies()} {
    if (!config.target.domain) return;
    domain_config_ = *config.target.domain;
    domain_config_.shown = options.show_domains;
    domains_ = find_domains(session, domain_config_);
    outcome.results.domain_key = domains_->key;
  }

  void run(const adapt::Mode& mode) {
    progress_.check();
    Progress named = progress_;
    if (progress_.report)
      named.report = [&](std::string_view stage, std::int64_t done, std::int64_t total) {
        progress_.report(fmt::format("{}: {}", mode.name, stage), done, total);
      };
    try {
      if (domains_)
        run_domains(mode, named);
      else
        run_whole(mode, named);
    } catch (const Error&) {
      rethrow_at(fmt::format("mode '{}'", mode.name));
    }
  }

  void finish() {
    // Comparisons come last: `source` need not be the first mode.
    std::vector<ModeReport>& modes = outcome_.results.modes;
    const auto source = std::ranges::find_if(
        modes, [](const ModeReport& report) { return report.mode.policy == adapt::Policy::source; });
    for (ModeReport& report : modes)
      if (source != modes.end() && &report != &*source) scorer_.compare(report, *source);
    if (domains_) outcome_.domains_json = domain_index(domains_->key, domain_files_);
  }

 private:
  [[nodiscard]] bool exports(const adapt::Mode& mode) const {
    return config_.exported && config_.exported->mode == mode.name;
  }
  void exported_as(const adapt::Mode& mode, const std::filesystem::path& path) {
    outcome_.results.exported_mode = mode.name;
    outcome_.results.exported_file = path.filename().string();
  }
  [[nodiscard]] ExportFacts facts(const std::filesystem::path& file, const adapt::Mode& mode,
                                  const adapt::ModeResult& result) const {
    ExportFacts known;
    known.file_name = file.filename().string();
    known.mode = mode;
    known.images = result.adapted_images;
    known.instruction_set = options_.instruction_set;
    known.program_version = options_.program_version;
    known.left_out = static_cast<std::int64_t>(result.left_out.size());
    return known;
  }
  [[nodiscard]] const stats::Statistics& source() const {
    static const stats::Statistics none;
    return session_.engine->source_known() ? session_.engine->source() : none;
  }
  /// A note of the mode reported last.
  void tell(const adapt::Mode& mode, const std::string& note) {
    outcome_.notes.push_back(fmt::format("mode '{}': {}", mode.name, note));
    std::string& all = outcome_.results.modes.back().note;
    all += fmt::format("{}{}", all.empty() ? "" : "; ", note);
  }
  void tell_left_out(const adapt::Mode& mode, const adapt::ModeResult& result) {
    for (const adapt::LeftOut& one : result.left_out)
      tell(mode, fmt::format("{}: {}; left out", outcome_.results.ids.at(one.image), one.reason));
  }

  void run_whole(const adapt::Mode& mode, const Progress& progress) {
    // The same object twice: transductive, so a layerwise sweep's last frontier is the prediction.
    const adapt::ModeResult result = session_.engine->run(mode, session_.images, &session_.images, progress);
    outcome_.results.modes.push_back(scorer_.report(mode, result));
    ModeReport& report = outcome_.results.modes.back();
    report.settling = settling_of(mode, result.measured, source(), result.adapted_images);
    for (const std::string& note : notes_on(mode, report.settling)) tell(mode, note);
    for (const std::string& note : notes_on_batches(mode, outcome_.results.labels)) tell(mode, note);
    tell_left_out(mode, result);
    const std::filesystem::path path = exports(mode) ? config_.exported->path : std::filesystem::path();
    const ExportFacts known = facts(path, mode, result);
    if (!result.measured.empty()) {
      if (!source().empty()) report.drift = stats::distances(source(), result.measured);
      outcome_.statistics.emplace_back(stems_.take(mode.name),
                                       stats::write_statistics(statistics_file(session_, result.measured, known)));
    }
    if (path.empty()) return;
    outcome_.exported.push_back({path, export_checkpoint(session_, result.statistics, known)});
    exported_as(mode, path);
  }

  void run_domains(const adapt::Mode& mode, const Progress& progress) {
    const std::vector<adapt::Domain> treated = treatments(mode, *domains_, domain_config_);
    const adapt::DomainResults results = session_.engine->run_domains(treated, session_.images, true, progress);
    outcome_.results.modes.push_back(report_domains(scorer_, mode, *domains_, treated, results, source()));
    for (const std::string& note : notes_on_batches(mode, outcome_.results.labels)) tell(mode, note);
    for (std::size_t d = 0; d < treated.size(); ++d) {
      const adapt::ModeResult& result = results.domains[d];
      tell_left_out(mode, result);
      DataFacts data = data_facts(session_, *domains_, d);
      data.bad = data.bad.value_or(0) + static_cast<std::int64_t>(result.left_out.size());
      const std::filesystem::path path =
          exports(mode) ? domain_path(config_.exported->path, domains_->stems[d]) : std::filesystem::path();
      ExportFacts known = facts(path, treated[d].mode, result);
      known.domain = domains_->names[d];
      DomainFile file{mode.name,
                      domains_->names[d],
                      std::string(adapt::name_of(treated[d].mode.policy)),
                      static_cast<std::int64_t>(treated[d].images.size()),
                      "",
                      path.filename().string()};
      if (!result.measured.empty()) {
        const std::string stem = stems_.take(fmt::format("{}.{}", mode.name, domains_->stems[d]));
        file.statistics = stem + ".bnstats";
        outcome_.statistics.emplace_back(
            stem, stats::write_statistics(statistics_file(session_.model, result.measured, known, data)));
      }
      if (!path.empty())
        outcome_.exported.push_back({path, export_checkpoint(session_.model, result.statistics, known, data)});
      domain_files_.push_back(std::move(file));
    }
    if (exports(mode)) exported_as(mode, domain_path(config_.exported->path, "*"));
  }

  const Config& config_;
  const RunOptions& options_;
  Session& session_;
  RunOutcome& outcome_;
  const Progress& progress_;
  Scorer scorer_;
  DomainConfig domain_config_;
  std::optional<Domains> domains_;
  std::vector<DomainFile> domain_files_;
  FileStems stems_;
};

/// Sigmoid outputs are no choice among classes.
void advise(RunResults& results, const Session& session, const std::optional<metrics::Predictions>& source) {
  if (session.classifies() && session.outputs != OutputKind::sigmoid)
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
  if (const imaging::LabelCounts* counts = session.dataset->label_counts()) results.label_counts = *counts;
  results.patients = session.patients();
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

  Runner runner(config, options, session, outcome, progress);
  for (const adapt::Mode& mode : config.modes) runner.run(mode);
  runner.finish();
  if (config.evaluate.label_free) {
    std::optional<metrics::Predictions> source;
    if (config.source)
      source = labelled_source(*session_options(config, options).source, config, session, options, progress);
    advise(results, session, source);
  }
  return outcome;
}

}  // namespace shiftnorm::experiment
