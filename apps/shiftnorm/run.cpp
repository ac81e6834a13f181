#include "shiftnorm/toolkit/run.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "commands.hpp"
#include "dry_run.hpp"
#include "resource_options.hpp"
#include "run_pages.hpp"
#include "run_sweep.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/report/report.hpp"
#include "shiftnorm/results/results_json.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"
#include "shiftnorm/toolkit/run_key.hpp"
#include "shiftnorm/toolkit/unfinished_work.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using toolkit::RunPlace, toolkit::RunFolder, toolkit::UnfinishedWork;

constexpr OptionSpec kRun[] = {
    {"root", "DIR", "input paths of the YAML are relative to DIR (default: the YAML's folder)"},
    {"set", "A.B=C", "change one key of the YAML; may be repeated", true},
    {"out", "DIR", "the run folder (default: runs/<name>)"},
    {"show-domains", "", "print the names of domains that identify a site"},
    {"allow-small-cohort", "", "export from fewer than 11 patients; the provenance records it"},
    {"identify", "FILE", "also write the path of each id: FILE may identify patients, mode 0600"},
    {"resume", "", "continue where an earlier call stopped; what is finished is not computed again"},
    {"store", "FILE", "the table of all runs (default: runs/runs.sqlite; none with --out)"},
    {"dry-run", "", "print the YAML with every default, and what would be done, needed and written; write nothing"},
};

/// --out, --store and --resume.
RunPlace place_of(const Options& options, const std::string& name) {
  RunPlace place;
  place.folder = options.text("out", (fs::path("runs") / name).string());
  // Outside of runs/ nothing is written that was not named.
  place.store = options.text("store", options.has("out") ? "" : "runs/runs.sqlite");
  place.resume = options.has("resume");
  return place;
}

ExitCode run_alone(const config::Config& config, const RunPlace& place, toolkit::RunOptions job,
                   const toolkit::BadLimit& limit, const Options& options, Console& console) {
  const RunFolder folder(place.folder);
  job.folder = folder.path();
  toolkit::check_folder_can_be_made(job.folder);
  if (config.exported && config.exported->path.is_absolute())
    toolkit::OutputFiles().expect("export.path", config.exported->path);
  toolkit::OutputFiles identities;
  expect_identities(options, identities);
  if (place.resume) {
    job.id = toolkit::run_key(config, job);
    if (const auto finished = folder.finished(job.id)) {
      if (options.has("identify")) {
        set_identities(options, *toolkit::listed_target(config, job), identities, console);
        identities.write();
      }
      console.say(fmt::format("{}: is already finished; nothing is computed again\n", config.name));
      UnfinishedWork(job.folder, true).discard();
      if (console.json()) write_stdout(finished->text);
      return ExitCode::done;
    }
  }
  console.info(fmt::format("{}: {} modes, seed {}", config.name, config.modes.size(), config.seed));
  UnfinishedWork work(job.folder, place.resume);
  toolkit::RunOutcome outcome;
  try {
    outcome = run_keeping(config, job, work, report::verdict, console.messages());
  } catch (const Interrupted&) {
    if (!work.any()) throw;
    console.fail({ExitCode::interrupted,
                  fmt::format("interrupted; {} keeps what was computed; the same command with --resume continues",
                              work.folder().filename().string())});
    return ExitCode::interrupted;
  }
  const results::RunResults& results = outcome.results;
  for (const std::string& note : outcome.notes) console.warn(note);
  toolkit::tell_assumed(console.events(), results.assumptions, outcome.notes);
  warn_of_bad(console, results.bad);
  if (results.label_counts) console.info(report::labels_line(*results.label_counts));
  if (const std::string line = report::classes_line(outcome.dataset->classes()); !line.empty() && results.maps.empty())
    console.info(line);
  console.info(fmt::format("{}: {} images, {} bad, {} BatchNorms on {} levels", config.name, results.images,
                           results.bad.size(), results.batchnorms, results.levels));
  set_identities(options, *outcome.dataset, identities, console);
  folder.write(outcome, pages_of(results), console.log());
  work.discard();
  identities.write();
  toolkit::record_run(place, results, job.folder, "");
  console.say(report::table_of(results) + report::domain_table_of(results) + report::recommendation_line(results));
  console.say(fmt::format("results are in {}\n", job.folder.string()));
  if (console.json()) write_stdout(results::results_json(results));
  return judge_bad(console, limit, results.images, static_cast<std::int64_t>(results.bad.size()));
}

ExitCode run(const Options& options, Console& console) {
  const fs::path yaml = options.positional();
  const toolkit::BadLimit limit = bad_limit_of(options);
  toolkit::RunOptions job;
  job.threads = threads_of(options);
  job.memory = {options.bytes("memory")};
  job.show_domains = options.has("show-domains");
  job.small_cohort = options.has("allow-small-cohort");
  job.command = fmt::format("shiftnorm run {}", yaml.filename().string());
  config::Sweep sweep = config::read_sweep(yaml, {options.text("root"), options.texts("set")});
  const RunPlace place = place_of(options, sweep.name);
  toolkit::StandInKeys keys;
  for (config::SweepRun& one : sweep.runs)
    if (options.has("dry-run")) keys.stand_in(one.config);
  if (!sweep.keys.empty() && options.has("identify"))
    throw ConfigError("--identify: is for one data set, and the runs of a sweep may have several; expected one run");
  if (!sweep.keys.empty()) return run_sweep(sweep, place, job, limit, options.has("dry-run"), console);
  const config::Config& config = sweep.runs[0].config;
  if (options.has("dry-run")) return dry_run(config, place, job, console);
  return run_alone(config, place, job, limit, options, console);
}

}  // namespace

Command run_command() {
  return {
      {"run",
       "shiftnorm run CONFIG.yaml [--root DIR] [--set A.B=C]... [--out DIR] [--resume] [--dry-run]",
       "Runs an experiment: restores the network, re-estimates its BatchNorms, evaluates every mode, reports, exports.",
       "CONFIG.yaml",
       true,
       {kRun, resource_options()},
       {}},
      run};
}

}  // namespace shiftnorm::app
