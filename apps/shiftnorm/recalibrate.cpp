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
#include "shiftnorm/experiment/export.hpp"
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
     "adabn, blend, mixture, mean-only, variance-only, hybrid, source, disabled, identity or normalise-only (default: "
     "adabn); batch and instance can be evaluated, but no file holds them"},
    {"stats-out", "F", "also write what was measured, before the policy, as a statistics file (.bnstats)"},
    {"resume", "", "go on from what an interrupted call with the same options left beside --out"},
};

constexpr std::string_view kNoSites = "this version treats the data as one domain";
constexpr RefusedOption kRefused[] = {
    {"domain", "KEY", kNoSites},
    {"allow-small-cohort", "", "this version sets no minimum cohort"},
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
  experiment::Settling settling;
};

/// What every attempt at an estimate needs.
struct Job {
  experiment::SessionOptions options;
  adapt::Mode mode;
  fs::path out, kept;  ///< kept: what an interrupted estimate leaves behind
  bool resume = false, automatic = false;
};

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

Estimate estimate(const Job& job, Console& console) {
  const Progress progress = console.progress();
  Estimate e{experiment::open_session(job.options, progress), {}, {}, {}};
  if (!job.out.empty()) check_writable(e.session.model, job.mode);
  for (const std::string& note : e.session.notes) console.warn(note);
  console.info(fmt::format("{}: {} BatchNorms on {} levels, {} images", e.session.model.checkpoint.file_name,
                           e.session.engine->batch_norms().size(), e.session.levels(), e.session.store->size()));
  e.facts = {job.out.filename().string(), job.mode, 0, exec::instruction_set(), SHIFTNORM_VERSION, false, 0, {}};
  if (job.options.dataset.limit.images)
    e.facts.drawn = fmt::format("{}{} images, seed {}", job.automatic ? "auto: " : "",
                                *job.options.dataset.limit.images, job.options.dataset.limit.seed);
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
  e.facts.left_out = static_cast<std::int64_t>(e.result.left_out.size());
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

Job job_of(const Options& options) {
  Job job;
  job.options = session_options_of(options);
  job.options.labelled = false;
  job.mode = mode_of(options, "policy", "adabn");
  job.options.modes = {job.mode};
  experiment::check_exportable(job.mode);
  job.resume = options.has("resume");
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
  return job;
}

/// Bad files, and images that the network could not carry.
std::vector<imaging::Bad> bad_of(const Estimate& e) {
  std::vector<imaging::Bad> bad = e.session.store->bad();
  for (const adapt::LeftOut& one : e.result.left_out) {
    imaging::Bad left_out;
    left_out.id = e.session.ids().at(one.image);
    left_out.reason = one.reason;
    bad.push_back(std::move(left_out));
  }
  return bad;
}

/// Everything a user should know of an estimate: bad files, images left out, few images, poor batches.
void warn_of(Console& console, const Estimate& e) {
  warn_of_bad(console, bad_of(e));
  for (const std::string& note : experiment::notes_on(e.facts.mode, e.settling)) console.warn(note);
  if (adapt::measures(e.facts.mode.policy))
    for (const std::string& note : experiment::notes_on_batches(e.facts.mode, e.session.labels())) console.warn(note);
}

ExitCode recalibrate(const Options& options, Console& console) {
  const Job job = job_of(options);
  const experiment::BadLimit limit = bad_limit_of(options);
  OutputFiles files;
  if (!job.out.empty()) files.expect("--out", job.out);
  const std::optional<fs::path> statistics = statistics_path(options, job.mode, job.out);
  if (statistics) files.expect("--stats-out", *statistics);

  if (options.has("quarantine")) files.expect("--quarantine", options.text("quarantine"));

  const Estimate e = job.automatic ? estimate_until_settled(job, console) : estimate(job, console);
  const experiment::Session& session = e.session;
  if (statistics)
    files.set(*statistics, stats::write_statistics(experiment::statistics_file(session, e.result.measured, e.facts)));
  experiment::Exported exported;
  if (!job.out.empty()) {
    exported = experiment::export_checkpoint(session, e.result.statistics, e.facts);
    set_exported(files, job.out, exported);
  }
  if (options.has("quarantine")) files.set(options.text("quarantine"), quarantine_csv(bad_of(e)));
  files.write();
  fs::remove(job.kept);

  JobDocument document;
  document.images = static_cast<std::int64_t>(session.store->size());
  document.skipped = session.dataset->skipped();
  document.bad = static_cast<std::int64_t>(session.store->bad().size()) + e.facts.left_out;
  document.images -= e.facts.left_out;
  document.load = session.load_seconds;
  document.adapt = e.result.seconds.adapt;
  if (e.result.seconds.adapt > 0)
    document.images_per_second = static_cast<double>(e.result.adapted_images) / e.result.seconds.adapt;
  if (!job.out.empty())
    document.outputs.set("adapted", job.out.string()).set("provenance", experiment::provenance_path(job.out).string());
  if (statistics) document.outputs.set("statistics", statistics->string());
  if (!e.settling.layers.empty()) document.settling = report::settling_json(e.settling);
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  warn_of(console, e);
  const std::string written = (job.out.empty() ? *statistics : job.out).string();
  const std::string from =
      adapt::measures(job.mode.policy)
          ? fmt::format(" from {} images ({:.1f} images/s)", e.result.adapted_images, document.images_per_second)
          : std::string();
  console.say(fmt::format("{}: {}{}{}\n", written, job.mode.name, from, conversion(exported)));
  const std::int64_t images = document.images, bad_files = document.bad;
  if (console.json()) console.print(job_json(std::move(document)));
  return judge_bad(console, limit, images, bad_files);
}

}  // namespace

Command recalibrate_command() {
  return {{"recalibrate",
           "shiftnorm recalibrate CHECKPOINT --data WHERE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] "
           "[options] --out ADAPTED",
           "One checkpoint, one data set, an adapted file of the same format. Labels are not used.",
           "CHECKPOINT",
           true,
           {kRecalibrate, data_options(), measure_options(), resource_options()},
           kRefused},
          recalibrate};
}

}  // namespace shiftnorm::app
