#include "shiftnorm/toolkit/evaluate.hpp"

#include <fmt/format.h>

#include "commands.hpp"
#include "data_options.hpp"
#include "measure_options.hpp"
#include "network_options.hpp"
#include "resource_options.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/tables.hpp"
#include "shiftnorm/toolkit/job_document.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

using toolkit::EvaluateOptions;

constexpr OptionSpec kEvaluate[] = {
    {"mode", "M",
     "source, adabn, blend, mixture, mean-only, variance-only, batch, instance, hybrid-decay, matched, disabled, "
     "identity or normalise-only (default: source); what it needs is measured on the same images"},
    {"stats", "F", "use the statistics of this file (.bnstats) instead of measuring; the default mode is then adabn"},
    {"classes", "A,B,..|FILE", "class names in the order of the outputs (default: the sorted folder names)"},
    {"prior-correction", "", "matched: outputs are corrected for the target's mixture, too"},
    {"predictions", "OUT.csv", "write ids, labels, predictions and probabilities"},
    {"outputs", "OUT.safetensors", "write all outputs of the network, one row per image"},
};

/// The file of --stats; what it replaces must not be asked for beside it.
std::optional<stats::StatisticsFile> statistics_of(const Options& options) {
  if (!options.has("stats")) return std::nullopt;
  for (const std::string_view measuring :
       {"semantics", "estimator", "batch", "momentum", "shuffle", "domain", "shares"})
    if (options.has(measuring))
      throw ConfigError(
          fmt::format("--{}: the statistics of --stats are measured already; expected no such option", measuring));
  return from_option("stats", [&] { return toolkit::read_statistics_file(options.text("stats")); });
}

EvaluateOptions job_of(const Options& options, Console& console) {
  if (options.text("max-images") == "auto")
    throw ConfigError(
        "--max-images = auto: is for recalibrate, which reads images until there are enough; expected a number");
  EvaluateOptions job;
  job.session = session_options_of(options);
  job.session.all_outputs = options.has("outputs");
  job.session.data.dataset.classes = classes_of(options);
  job.statistics = statistics_of(options);
  job.mode = mode_of(options, "mode", job.statistics ? "adabn" : "source");
  job.mode.prior_correction = options.has("prior-correction");
  adapt::require_valid(job.mode, "--prior-correction");
  job.domain = domain_of(options);
  job.seed = seed_of(options);
  job.events = console.events();
  return job;
}

OutputFiles expected_files(const Options& options) {
  OutputFiles files;
  for (const std::string_view name : {"predictions", "outputs", "quarantine"})
    if (options.has(name)) files.expect(fmt::format("--{}", name), options.text(name));
  expect_identities(options, files);
  return files;
}

void say(const toolkit::Evaluated& outcome, Console& console) {
  const results::RunResults& results = outcome.results;
  warn_of_bad(console, results.bad);
  for (const std::string& note : outcome.notes) console.warn(note);
  if (results.label_counts) console.info(report::labels_line(*results.label_counts));
  if (const std::string line = report::classes_line(outcome.session.dataset->classes());
      !line.empty() && results.maps.empty())
    console.info(line);
  console.say(report::table_of(results) + report::domain_table_of(results));
}

ExitCode evaluate(const Options& options, Console& console) {
  const EvaluateOptions job = job_of(options, console);
  tell_of_policy_name(options, "mode", console);
  const toolkit::BadLimit limit = bad_limit_of(options);
  OutputFiles files = expected_files(options);
  const toolkit::Evaluated outcome = toolkit::evaluate(job);
  const results::RunResults& results = outcome.results;
  if (options.has("predictions") && !outcome.session.classifies())
    throw ConfigError("--predictions: the network's output is not a vector of class scores; expected --outputs");
  results::JobDocument document = toolkit::document_of(outcome);
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  for (const std::string name : {"predictions", "outputs"})
    if (options.has(name)) document.outputs.set(name, options.text(name));
  if (options.has("predictions")) files.set(options.text("predictions"), results::predictions_csv(results));
  if (options.has("outputs")) files.set(options.text("outputs"), outcome.outputs_file());
  if (options.has("quarantine")) files.set(options.text("quarantine"), results::quarantine_csv(results.bad));
  set_identities(options, *outcome.session.dataset, files, console);
  files.write();
  say(outcome, console);
  if (console.json()) console.print(results::job_json(std::move(document)));
  return judge_bad(console, limit, results.images, static_cast<std::int64_t>(results.bad.size()));
}

}  // namespace

Command evaluate_command() {
  return {{"evaluate",
           "shiftnorm evaluate CHECKPOINT --data WHERE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] "
           "[--mode M] [options]",
           "Scores one mode; without labels: predictions and how certain they are.",
           "CHECKPOINT",
           true,
           {kEvaluate, network_options(), data_options(), table_options(), measure_options(), resource_options()},
           {}},
          evaluate};
}

}  // namespace shiftnorm::app
