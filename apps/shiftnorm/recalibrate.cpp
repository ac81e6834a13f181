#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/advice.hpp"
#include "shiftnorm/experiment/cohort.hpp"
#include "shiftnorm/experiment/domains.hpp"
#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/experiment/plan.hpp"
#include "shiftnorm/experiment/session.hpp"
#include "shiftnorm/experiment/statistics.hpp"
#include "shiftnorm/report/report.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kRecalibrate[] = {
    {"out", "ADAPTED",
     "the adapted checkpoint, may be the original; .onnx and .safetensors convert, any other name keeps the format"},
    {"policy", "P",
     "adabn, blend, mixture, mean-only, variance-only, hybrid-decay, source, disabled, identity or normalise-only "
     "(default: "
     "adabn); batch and instance can be evaluated, but no file holds them"},
    {"stats-out", "F", "also write what was measured, before the policy, as a statistics file (.bnstats)"},
    {"allow-small-cohort", "", "write a checkpoint from fewer than 11 patients; its provenance says so"},
    kToInference,
    {"resume", "", "go on from what an interrupted call with the same options left beside --out"},
};

/// The statistics file that --stats-out asks for; the two outputs must not be one file.
std::optional<fs::path> statistics_path(const Options& options, const adapt::Mode& mode, const fs::path& out) {
  if (!options.has("stats-out")) return std::nullopt;
  const fs::path path = options.text("stats-out");
  if (!adapt::measures(mode.policy))
    throw ConfigError(
        fmt::format("--stats-out: policy {} measures nothing; expected one that does, such as adabn", mode.name));
  if (out.empty()) return path;
  for (const fs::path& other : {out, experiment::provenance_path(out)})
    if (fs::weakly_canonical(path) == fs::weakly_canonical(other))
      throw ConfigError(fmt::format("--stats-out = {}: is written by --out; expected another name", path.string()));
  return path;
}

/// One estimate, with what its file will say of it.
struct Estimate {
  experiment::Session session;
  adapt::ModeResult result;
  experiment::ExportFacts facts;
  experiment::DataFacts data;
  experiment::Settling settling;
};

/// What every attempt at an estimate needs.
struct Job {
  experiment::SessionOptions options;
  adapt::Mode mode;
  fs::path out, kept;  ///< kept: what an interrupted estimate leaves behind
  bool resume = false, automatic = false, small_cohort = false;
  std::optional<fs::path> statistics, quarantine;
  std::optional<experiment::DomainConfig> domain;
};

experiment::ExportFacts facts_of(const Job& job, const fs::path& out, const adapt::Mode& mode) {
  experiment::ExportFacts facts;
  facts.file_name = out.filename().string();
  facts.mode = mode;
  facts.instruction_set = exec::instruction_set();
  facts.program_version = SHIFTNORM_VERSION;
  facts.small_cohort = job.small_cohort;
  facts.to_inference = job.options.written && job.options.written->to_inference;
  return facts;
}

/// Tenths of the work done go into the log, where --log-level debug shows them.
Progress logged(const Progress& progress, Console& console) {
  Progress out = progress;
  out.report = [&console, report = progress.report, last = std::int64_t{-1}](std::string_view stage, std::int64_t done,
                                                                             std::int64_t total) mutable {
    if (report) report(stage, done, total);
    const std::int64_t tenth = total > 0 ? done * 10 / total : 0;
    if (tenth == last) return;
    last = tenth;
    console.debug(fmt::format("{}: {} of {}", stage, done, total));
  };
  return out;
}

void keep(const Job& job, const experiment::Session& session, const stats::Statistics& reached,
          const experiment::ExportFacts& facts, Console& console) {
  const bool any = std::ranges::any_of(reached, [](const stats::LayerStatistics& l) { return l.values > 0; });
  if (!any || !session.engine->source_known()) return;
  write_file(job.kept, experiment::write_interrupted(session, reached, facts));
  console.warn(fmt::format("{}: keeps what was measured; the same command with --resume goes on from there",
                           job.kept.filename().string()));
}

/// A file that holds no statistics has no place for new ones.
void check_writable(const experiment::RestoredModel& model, const adapt::Mode& mode) {
  if (model.source_statistics) return;
  throw ConfigError(
      fmt::format("{}: its BatchNorms keep no running statistics (PyTorch's track_running_stats=False), so that policy "
                  "{} has nothing "
                  "to be written to; expected --stats-out without --out, and evaluate --stats",
                  model.checkpoint.file_name, mode.name));
}

experiment::Session opened(const Job& job, Console& console) {
  experiment::Session session = experiment::open_session(job.options, console.progress());
  if (!job.out.empty()) check_writable(session.model, job.mode);
  for (const std::string& note : session.notes) console.warn(note);
  tell_assumed(console, session.model.assumed(), session.notes);
  if (const imaging::LabelCounts* counts = session.dataset->label_counts()) console.info(labels_line(*counts));
  console.info(fmt::format("{}: {} BatchNorms on {} levels, {} images", session.model.checkpoint.file_name,
                           session.engine->batch_norms().size(), session.levels(), session.store->size()));
  return session;
}

void check_patients(const Job& job, const std::optional<std::int64_t>& patients, const std::string& domain) {
  if (adapt::measures(job.mode.policy)) experiment::check_cohort(patients, job.small_cohort, domain);
}

Estimate estimate(const Job& job, Console& console) {
  const Progress progress = console.progress();
  Estimate e{opened(job, console), {}, facts_of(job, job.out, job.mode), {}, {}};
  // Before the work: adapted weights must not be asked for in vain.
  if (!job.out.empty() && !job.automatic) check_patients(job, e.session.patient_count(), {});
  if (const auto note = experiment::note_on_spill(*e.session.engine, job.mode, e.session.images, false, progress))
    console.info(*note);
  stats::Statistics reached;
  if (job.resume && fs::exists(job.kept)) {
    try {
      reached = experiment::read_interrupted(job.kept, e.session, e.facts);
    } catch (const ConfigError&) {
      if (!job.automatic) throw;  // it may be of another round
    }
  }
  try {
    e.result = e.session.engine->run(job.mode, e.session.images, nullptr, logged(progress, console), &reached);
  } catch (...) {
    keep(job, e.session, reached, e.facts, console);
    throw;
  }
  e.facts.images = e.result.adapted_images;
  e.data = experiment::data_facts(e.session, e.result.left_out);
  if (job.automatic) e.data.drawn = "auto: " + e.data.drawn;
  e.settling = experiment::settling_of(
      job.mode, e.result.measured, e.session.engine->source_known() ? e.session.engine->source() : stats::Statistics{},
      e.result.adapted_images);
  return e;
}

constexpr std::int64_t kFirstRound = 32;

/// `--max-images auto`: twice as many images each round, until every layer has settled or there are no more. The result
/// is that of --max-images with the last number.
Estimate estimate_until_settled(Job job, Console& console) {
  job.automatic = true;
  for (std::int64_t images = kFirstRound;; images *= 2) {
    job.options.dataset.limit.images = images;
    Estimate e = estimate(job, console);
    const stats::LayerSettling* worst = e.settling.worst();
    if (worst != nullptr)
      console.info(fmt::format("{} images: layer '{}' may be off by {:.3f} standard deviations", e.settling.images,
                               worst->name, worst->error));
    const auto found = static_cast<std::int64_t>(e.session.dataset->samples().size());
    if (e.settling.settled() || found < images) return e;
  }
}

/// What several domains came to.
struct DomainEstimates {
  experiment::Session session;
  experiment::Domains domains;
  std::vector<adapt::Domain> treated;
  adapt::DomainResults results;
};

fs::path index_path(const fs::path& out) { return out.string() + ".domains.json"; }

/// Every domain's statistics, all in one sweep.
DomainEstimates estimate_domains(const Job& job, Console& console) {
  DomainEstimates e{opened(job, console), {}, {}, {}};
  e.domains = experiment::find_domains(e.session, *job.domain);
  for (std::size_t d = 0; d < e.domains.names.size(); ++d)
    check_patients(job, experiment::data_facts(e.session, e.domains, d, {}).patients, e.domains.names[d]);
  e.treated = experiment::treatments(job.mode, e.domains, *job.domain);
  e.results = e.session.engine->run_domains(e.treated, e.session.images, false, logged(console.progress(), console));
  return e;
}

/// One adapted checkpoint for each domain, the statistics that are asked for, and their index.
void add_domain_files(const Job& job, const DomainEstimates& e, OutputFiles& files, Json& list) {
  std::vector<experiment::DomainFile> index;
  for (std::size_t d = 0; d < e.treated.size(); ++d) {
    const fs::path out = experiment::domain_path(job.out, e.domains.stems[d]);
    const fs::path statistics = job.statistics ? experiment::domain_path(*job.statistics, e.domains.stems[d]) : "";
    const adapt::ModeResult& result = e.results.domains[d];
    experiment::ExportFacts facts = facts_of(job, out, e.treated[d].mode);
    facts.images = result.adapted_images;
    facts.domain = e.domains.names[d];
    const experiment::DataFacts data = experiment::data_facts(e.session, e.domains, d, result.left_out);
    if (job.statistics)
      files.set(statistics,
                stats::write_statistics(experiment::statistics_file(e.session.model, result.measured, facts, data)));
    set_exported(files, out, experiment::export_checkpoint(e.session.model, result.statistics, facts, data));
    index.push_back({job.mode.name, e.domains.names[d], std::string(adapt::name_of(facts.mode.policy)),
                     static_cast<std::int64_t>(e.treated[d].images.size()), statistics.filename().string(),
                     out.filename().string()});
    list.push(out.string());
  }
  files.set(index_path(job.out), experiment::domain_index(e.domains.key, index));
}

/// Warns of domains with few images and says what was written.
void say_domains(const Job& job, const DomainEstimates& e, Console& console) {
  std::string said;
  for (std::size_t d = 0; d < e.treated.size(); ++d) {
    const adapt::Mode& mode = e.treated[d].mode;
    const std::size_t count = e.treated[d].images.size();
    const auto patients = experiment::data_facts(e.session, e.domains, d, {}).patients;
    for (const std::string& note : experiment::notes_on_cohort(patients, e.domains.names[d])) console.warn(note);
    if (mode.policy != job.mode.policy)
      console.warn(fmt::format("domain '{}' has {} images: blend with a prior of {:g} images in place of {}",
                               e.domains.names[d], count, *mode.prior_images, job.mode.name));
    said += fmt::format("{}: {} from {} images\n", experiment::domain_path(job.out, e.domains.stems[d]).string(),
                        adapt::name_of(mode.policy), count);
  }
  console.say(said);
}

Job job_of(const Options& options) {
  Job job;
  job.options = session_options_of(options);
  job.options.labelled = false;
  if (options.has("out"))
    job.options.written = {fs::path(options.text("out")).filename().string(), options.has("to-inference")};
  job.mode = mode_of(options, "policy", "adabn");
  job.options.modes = {job.mode};
  experiment::check_exportable(job.mode);
  job.resume = options.has("resume");
  job.small_cohort = options.has("allow-small-cohort");
  job.automatic = options.text("max-images") == "auto";
  if (job.automatic && (!adapt::measures(job.mode.policy) || (job.mode.estimator != adapt::Estimator::population &&
                                                              job.mode.estimator != adapt::Estimator::batch_mean)))
    throw ConfigError(
        "--max-images = auto: needs an estimate that tells whether it has settled; expected a policy that measures, "
        "with "
        "estimator population or batch-mean");
  if (!options.has("out") && !options.has("stats-out"))
    throw ConfigError("--out: missing; expected the name of the adapted checkpoint");
  job.out = options.text("out");
  job.kept = options.text("out", options.text("stats-out")) + ".interrupted";
  job.statistics = statistics_path(options, job.mode, job.out);
  if (options.has("quarantine")) job.quarantine = options.text("quarantine");
  job.domain = domain_of(options);
  if (!job.domain) return job;
  if (job.resume)
    throw ConfigError("--resume: goes on with one estimate, and --domain makes several; expected one of them");
  if (job.automatic)
    throw ConfigError(
        "--max-images = auto: reads until one estimate has settled, and --domain makes several; expected a number");
  if (job.out.empty()) throw ConfigError("--out: missing; expected the name that the domains' checkpoints derive from");
  return job;
}

/// Bad files, and images that the network could not carry.
std::vector<imaging::Bad> bad_of(const experiment::Session& session, const std::vector<adapt::LeftOut>& left_out) {
  std::vector<imaging::Bad> bad = session.store->bad();
  for (const adapt::LeftOut& one : left_out) {
    imaging::Bad& added = bad.emplace_back();
    added.id = session.ids().at(one.image);
    added.reason = one.reason;
  }
  return bad;
}

/// Bad files and images left out, and batches that mean little.
void warn_of(Console& console, const experiment::Session& session, const adapt::Mode& mode,
             const std::vector<adapt::LeftOut>& left_out) {
  warn_of_bad(console, bad_of(session, left_out));
  if (adapt::measures(mode.policy))
    for (const std::string& note : experiment::notes_on_batches(mode, session.labels())) console.warn(note);
}

JobDocument document_of(const experiment::Session& session, std::size_t left_out, const experiment::BadLimit& limit) {
  JobDocument document;
  const auto lost = static_cast<std::int64_t>(left_out);
  document.images = static_cast<std::int64_t>(session.store->size()) - lost;
  document.skipped = session.dataset->skipped();
  document.bad = static_cast<std::int64_t>(session.store->bad().size()) + lost;
  document.load = session.load_seconds;
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  return document;
}

ExitCode finish(JobDocument document, const experiment::BadLimit& limit, Console& console) {
  const std::int64_t images = document.images, bad_files = document.bad;
  if (console.json()) console.print(job_json(std::move(document)));
  return judge_bad(console, limit, images, bad_files);
}

ExitCode recalibrate_domains(const Job& job, const Options& options, Console& console) {
  const experiment::BadLimit limit = bad_limit_of(options);
  OutputFiles files;
  expect_identities(options, files);
  files.expect("--out", index_path(job.out));
  if (job.statistics) files.expect("--stats-out", *job.statistics);
  if (job.quarantine) files.expect("--quarantine", *job.quarantine);
  const DomainEstimates e = estimate_domains(job, console);
  Json list = Json::array();
  add_domain_files(job, e, files, list);
  std::vector<adapt::LeftOut> left_out;
  for (const adapt::ModeResult& result : e.results.domains)
    left_out.insert(left_out.end(), result.left_out.begin(), result.left_out.end());
  if (job.quarantine) files.set(*job.quarantine, quarantine_csv(bad_of(e.session, left_out)));
  set_identities(options, *e.session.dataset, files, console);
  files.write();

  JobDocument document = document_of(e.session, left_out.size(), limit);
  document.adapt = e.results.seconds.adapt;
  if (document.adapt > 0) document.images_per_second = static_cast<double>(document.images) / document.adapt;
  document.outputs.set("adapted", std::move(list)).set("index", index_path(job.out).string());
  warn_of(console, e.session, job.mode, left_out);
  say_domains(job, e, console);
  return finish(std::move(document), limit, console);
}

ExitCode recalibrate_whole(const Job& job, const Options& options, Console& console) {
  const experiment::BadLimit limit = bad_limit_of(options);
  OutputFiles files;
  expect_identities(options, files);
  if (!job.out.empty()) files.expect("--out", job.out);
  if (job.statistics) files.expect("--stats-out", *job.statistics);

  if (job.quarantine) files.expect("--quarantine", *job.quarantine);

  const Estimate e = job.automatic ? estimate_until_settled(job, console) : estimate(job, console);
  const experiment::Session& session = e.session;
  if (job.statistics)
    files.set(*job.statistics,
              stats::write_statistics(experiment::statistics_file(session.model, e.result.measured, e.facts, e.data)));
  experiment::Exported exported;
  if (!job.out.empty()) {
    exported = experiment::export_checkpoint(session.model, e.result.statistics, e.facts, e.data);
    set_exported(files, job.out, exported);
  }
  if (job.quarantine) files.set(*job.quarantine, quarantine_csv(bad_of(session, e.result.left_out)));
  set_identities(options, *session.dataset, files, console);
  files.write();
  fs::remove(job.kept);

  JobDocument document = document_of(session, e.result.left_out.size(), limit);
  document.adapt = e.result.seconds.adapt;
  if (e.result.seconds.adapt > 0)
    document.images_per_second = static_cast<double>(e.result.adapted_images) / e.result.seconds.adapt;
  if (!job.out.empty())
    document.outputs.set("adapted", job.out.string()).set("provenance", experiment::provenance_path(job.out).string());
  if (job.statistics) document.outputs.set("statistics", job.statistics->string());
  if (!e.settling.layers.empty()) document.settling = report::settling_json(e.settling);
  warn_of(console, session, job.mode, e.result.left_out);
  for (const std::string& note : experiment::notes_on(job.mode, e.settling)) console.warn(note);
  if (adapt::measures(job.mode.policy))
    for (const std::string& note : experiment::notes_on_cohort(e.data.patients)) console.warn(note);
  const std::string written = (job.out.empty() ? *job.statistics : job.out).string();
  const std::string from =
      adapt::measures(job.mode.policy)
          ? fmt::format(" from {} images ({:.1f} images/s)", e.result.adapted_images, document.images_per_second)
          : std::string();
  console.say(fmt::format("{}: {}{}{}\n", written, job.mode.name, from, conversion(exported)));
  return finish(std::move(document), limit, console);
}

ExitCode recalibrate(const Options& options, Console& console) {
  const Job job = job_of(options);
  tell_of_policy_name(options, "policy", console);
  return job.domain ? recalibrate_domains(job, options, console) : recalibrate_whole(job, options, console);
}

}  // namespace

Command recalibrate_command() {
  return {{"recalibrate",
           "shiftnorm recalibrate CHECKPOINT --data WHERE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] "
           "[options] --out ADAPTED",
           "One checkpoint, one data set, an adapted file of the same format. Labels are not used.",
           "CHECKPOINT",
           true,
           {kRecalibrate, network_options(), data_options(), table_options(), measure_options(), resource_options()},
           {}},
          recalibrate};
}

}  // namespace shiftnorm::app
