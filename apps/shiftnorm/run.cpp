#include "shiftnorm/experiment/run.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "run_folder.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/report/report.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kRun[] = {
    {"root", "DIR", "input paths of the YAML are relative to DIR (default: the YAML's folder)"},
    {"set", "A.B=C", "change one key of the YAML; may be repeated", true},
    {"out", "DIR", "the run folder (default: runs/<name>)"},
    {"show-domains", "", "print the names of domains that tell a site"},
    {"allow-small-cohort", "", "export from fewer than 11 patients; the provenance says so"},
    {"identify", "FILE", "also write which path each id stands for: FILE may name patients, mode 0600"},
    {"dry-run", "", "check the YAML, print it with every default, and stop"},
};
constexpr RefusedOption kRefused[] = {{"resume", "", "this version starts a run from its beginning"}};

ExitCode dry_run(const experiment::Config& config, const fs::path& folder, Console& console) {
  const auto missing = [&](const fs::path& path) {
    // WHERE may end in #key, and then names a file before it.
    const std::string text = path.string();
    if (!fs::exists(path) && !fs::exists(text.substr(0, text.rfind('#'))))
      console.warn(fmt::format("{}: is not there yet", path.filename().string()));
  };
  missing(config.model.checkpoint);
  missing(config.target.path);
  const std::string yaml = experiment::resolved_yaml(config, folder);
  if (console.json())
    console.print(container::Json::object({{"schema", 1}, {"name", config.name}, {"config", yaml}}));
  else
    console.say(yaml);
  return ExitCode::done;
}

ExitCode run(const Options& options, Console& console) {
  const fs::path yaml = options.positional();
  const experiment::BadLimit limit = bad_limit_of(options);
  experiment::RunOptions job;
  job.threads = threads_of(options);
  job.memory = options.bytes("memory");
  job.show_domains = options.has("show-domains");
  job.small_cohort = options.has("allow-small-cohort");
  const experiment::Config config = experiment::read_config(yaml, {options.text("root"), options.texts("set")});
  job.folder = options.text("out", (fs::path("runs") / config.name).string());
  if (options.has("dry-run")) return dry_run(config, job.folder, console);

  check_folder_can_be_made(job.folder);
  if (config.exported && config.exported->path.is_absolute())
    OutputFiles().expect("export.path", config.exported->path);
  OutputFiles identities;
  expect_identities(options, identities);
  job.program_version = SHIFTNORM_VERSION;
  job.instruction_set = exec::instruction_set();
  job.command = fmt::format("shiftnorm run {}", yaml.filename().string());
  console.info(fmt::format("{}: {} modes, seed {}", config.name, config.modes.size(), config.seed));
  const experiment::RunOutcome outcome = experiment::run_experiment(config, job, console.progress());

  const experiment::RunResults& results = outcome.results;
  for (const std::string& note : outcome.notes) console.warn(note);
  warn_of_bad(console, results.bad);
  if (results.label_counts) console.info(labels_line(*results.label_counts));
  console.info(fmt::format("{}: {} images, {} bad, {} BatchNorms on {} levels", config.name, results.images,
                           results.bad.size(), results.batchnorms, results.levels));
  set_identities(options, *outcome.dataset, identities, console);
  write_run_folder(job.folder, outcome, console.log());
  identities.write();
  console.say(table_of(results) + domain_table_of(results) + recommendation_line(results));
  console.say(fmt::format("results are in {}\n", job.folder.string()));
  if (console.json()) write_stdout(report::results_json(results) + "\n");
  return judge_bad(console, limit, results.images, static_cast<std::int64_t>(results.bad.size()));
}

}  // namespace

Command run_command() {
  return {{"run",
           "shiftnorm run CONFIG.yaml [--root DIR] [--set A.B=C]... [--out DIR] [--dry-run]",
           "The experiment: restore the network, re-estimate its BatchNorms, evaluate every mode, report, export.",
           "CONFIG.yaml",
           true,
           {kRun, resource_options()},
           kRefused},
          run};
}

}  // namespace shiftnorm::app
