#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/domains.hpp"
#include "shiftnorm/experiment/run.hpp"
#include "shiftnorm/experiment/scoring.hpp"
#include "shiftnorm/experiment/statistics.hpp"
#include "shiftnorm/metrics/metrics.hpp"
#include "shiftnorm/report/report.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kEvaluate[] = {
    {"mode", "M",
     "source, adabn, blend, mixture, mean-only, variance-only, batch, instance, hybrid-decay, disabled, identity or "
     "normalise-only "
     "(default: source); what it needs is measured on the same images"},
    {"stats", "F", "use the statistics of this file (.bnstats) instead of measuring; the default mode is then adabn"},
    {"classes", "A,B,..|FILE", "class names in the order of the outputs (default: the sorted folder names)"},
    {"predictions", "OUT.csv", "write id, label, prediction and probabilities"},
    {"outputs", "OUT.safetensors", "write all outputs of the network, one row per image"},
};

std::vector<std::string> classes_of(const Options& options) {
  const std::string given = options.text("classes");
  if (given.empty()) return {};
  if (given.find(',') == std::string::npos) return experiment::read_classes(given);
  const std::vector<std::string> names = split(given, ',');
  if (std::ranges::find(names, std::string()) != names.end())
    throw ConfigError("an empty name; expected names between the commas");
  imaging::check_classes(names);
  return names;
}

constexpr std::string_view kOwnKey = "__metadata__";

/// A file of tensors takes each name once, and one of its own not at all.
void check_output_names(const graph::Graph& graph) {
  std::set<std::string_view> names{kOwnKey};
  for (const graph::ValueId id : graph.outputs())
    if (const std::string& name = graph.value(id).name; !names.insert(name).second)
      throw UnsupportedError(
          name == kOwnKey
              ? fmt::format("--outputs: an output of the network is called '{}', which safetensors keeps for itself; "
                            "expected another name",
                            printable(name))
              : fmt::format("--outputs: two outputs of the network are called '{}'; expected a name for each",
                            printable(name)));
}

std::vector<std::byte> outputs_file(const experiment::Session& session, const adapt::Outputs& outputs) {
  Json ids = Json::array();
  for (const std::string& id : session.ids()) ids.push(printable(id, id.size() + 1));
  std::vector<std::pair<std::string, Array>> arrays;
  for (std::size_t which = 0; which <= outputs.others.size(); ++which) {
    const graph::Value& value = session.model.graph.value(session.model.graph.outputs().at(which));
    std::vector<std::int64_t> extents = value.shape->extents();
    extents.at(0) = static_cast<std::int64_t>(session.store->size());
    arrays.emplace_back(value.name, Array::from_floats(Shape(std::move(extents)),
                                                       which == 0 ? outputs.values : outputs.others[which - 1].values));
  }
  return container::write_safetensors(arrays, {{"ids", container::write_json(ids)}});
}

experiment::RunResults described(const experiment::Session& session, std::uint64_t seed) {
  experiment::RunResults results = experiment::describe(session);
  results.seed = seed;
  results.program_version = SHIFTNORM_VERSION;
  results.instruction_set = exec::instruction_set();
  return results;
}

/// By patient wherever patients are known.
experiment::Scorer scorer_of(const experiment::Session& session, experiment::RunResults& results,
                             const experiment::SessionOptions& job) {
  experiment::EvaluateConfig evaluate;
  evaluate.metrics = experiment::default_metrics(!results.findings.empty());
  std::vector<std::size_t> all(session.images.count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return experiment::scorer_of(session, all, evaluate, results.seed, job.threads, false, results);
}

JobDocument document_of(const experiment::RunResults& results) {
  const experiment::ModeReport& report = results.modes.front();
  JobDocument document;
  document.images = results.images;
  document.skipped = results.skipped;
  document.bad = static_cast<std::int64_t>(results.bad.size());
  document.load = results.load_seconds;
  document.adapt = report.adapt_seconds;
  document.evaluate = report.evaluate_seconds;
  document.images_per_second = report.images_per_second;
  document.metrics = metrics_json(report, !report.metrics.empty());
  return document;
}

/// The file of --stats; what it replaces must not be asked for beside it.
std::optional<stats::StatisticsFile> statistics_of(const Options& options) {
  if (!options.has("stats")) return std::nullopt;
  for (const std::string_view measuring : {"semantics", "estimator", "batch", "momentum", "shuffle", "domain"})
    if (options.has(measuring))
      throw ConfigError(
          fmt::format("--{}: the statistics of --stats are measured already; expected it left out", measuring));
  return from_option("stats", [&] { return experiment::read_statistics_file(options.text("stats")); });
}

adapt::ModeResult evaluate_statistics(experiment::Session& session, const adapt::Mode& mode,
                                      const stats::StatisticsFile& file, const Progress& progress) {
  if (file.preprocess_sha256 != session.preprocess_sha256)
    throw ConfigError(fmt::format("--stats: was measured with the preprocessing '{}'; expected the one in use, '{}'",
                                  printable(file.preprocess), session.preprocess));
  adapt::ModeResult result;
  result.statistics = from_option("stats", [&] { return experiment::applied(session.model, file, mode); });
  const auto start = std::chrono::steady_clock::now();
  result.outputs = session.engine->infer(result.statistics, session.images, progress);
  result.seconds.evaluate = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

ExitCode evaluate(const Options& options, Console& console) {
  experiment::SessionOptions job = session_options_of(options);
  if (options.text("max-images") == "auto")
    throw ConfigError(
        "--max-images = auto: is for recalibrate, where images are read until they are enough; expected a number");
  job.all_outputs = options.has("outputs");
  job.dataset.classes = from_option("classes", [&] { return classes_of(options); });
  const std::optional<stats::StatisticsFile> statistics = statistics_of(options);
  adapt::Mode mode = mode_of(options, "mode", statistics ? "adabn" : "source");
  tell_of_policy_name(options, "mode", console);
  if (statistics) {
    mode = experiment::measured_mode(*statistics, mode);
    job.network = network_of(options, "", statistics->weights);
    if (!job.preprocess && !statistics->preprocess_steps.empty()) {
      job.preprocess = from_option(
          "stats", [&] { return experiment::parse_pipeline(statistics->preprocess_steps, options.text("stats")); });
      job.preprocess->name = statistics->preprocess;
    }
  }
  job.modes = {mode};
  const std::optional<experiment::DomainConfig> domain = domain_of(options);
  const experiment::BadLimit limit = bad_limit_of(options);
  OutputFiles files;
  if (options.has("predictions")) files.expect("--predictions", options.text("predictions"));
  if (options.has("outputs")) files.expect("--outputs", options.text("outputs"));
  if (options.has("quarantine")) files.expect("--quarantine", options.text("quarantine"));
  expect_identities(options, files);

  const Progress progress = console.progress();
  experiment::Session session = experiment::open_session(job, progress);
  if (options.has("outputs")) check_output_names(session.model.graph);
  for (const std::string& note : session.notes) console.warn(note);
  tell_assumed(console, session.model.assumed(), session.notes);
  experiment::RunResults results = described(session, seed_of(options));
  const experiment::Scorer scorer = scorer_of(session, results, job);
  adapt::Outputs outputs;
  std::vector<adapt::LeftOut> left_out;
  if (domain) {
    const experiment::Domains domains = experiment::find_domains(session, *domain);
    const std::vector<adapt::Domain> treated = experiment::treatments(mode, domains, *domain);
    adapt::DomainResults result = session.engine->run_domains(treated, session.images, true, progress);
    results.domain_key = domains.key;
    results.modes.push_back(
        experiment::report_domains(scorer, mode, domains, treated, result,
                                   session.engine->source_known() ? session.engine->source() : stats::Statistics{}));
    outputs = std::move(*result.outputs);
    for (const adapt::ModeResult& one : result.domains)
      left_out.insert(left_out.end(), one.left_out.begin(), one.left_out.end());
  } else {
    adapt::ModeResult result = statistics ? evaluate_statistics(session, mode, *statistics, progress)
                                          : session.engine->run(mode, session.images, adapt::kSameImages, progress);
    results.modes.push_back(scorer.report(mode, result));
    outputs = std::move(*result.outputs);
    left_out = std::move(result.left_out);
  }

  if (options.has("predictions") && !session.classifies())
    throw ConfigError("--predictions: the network gives no vector of class scores; expected --outputs");
  JobDocument document = document_of(results);
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  if (options.has("predictions")) {
    files.set(options.text("predictions"), report::predictions_csv(results));
    document.outputs.set("predictions", options.text("predictions"));
  }
  if (options.has("outputs")) {
    files.set(options.text("outputs"), outputs_file(session, outputs));
    document.outputs.set("outputs", options.text("outputs"));
  }
  if (options.has("quarantine")) files.set(options.text("quarantine"), quarantine_csv(results.bad));
  set_identities(options, *session.dataset, files, console);
  files.write();

  warn_of_bad(console, results.bad);
  for (const adapt::LeftOut& one : left_out)
    console.warn(fmt::format("{}: {}; left out", printable(results.ids.at(one.image)), one.reason));
  if (!statistics)
    for (const std::string& note : experiment::notes_on_batches(mode, results.labels)) console.warn(note);
  if (const std::string& note = results.modes.front().note; !note.empty()) console.warn(note);
  if (results.label_counts) console.info(labels_line(*results.label_counts));
  if (const std::string line = classes_line(*session.dataset); !line.empty() && results.maps.empty())
    console.info(line);
  console.say(table_of(results) + domain_table_of(results));
  document.domains = domains_json(results);
  document.findings = findings_json(results.modes.front());
  if (console.json()) console.print(job_json(std::move(document)));
  return judge_bad(console, limit, results.images, static_cast<std::int64_t>(results.bad.size()));
}

}  // namespace

Command evaluate_command() {
  return {{"evaluate",
           "shiftnorm evaluate CHECKPOINT --data WHERE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] [--mode "
           "M] [options]",
           "Scores of one mode; without labels: predictions and their certainty.",
           "CHECKPOINT",
           true,
           {kEvaluate, network_options(), data_options(), table_options(), measure_options(), resource_options()},
           {}},
          evaluate};
}

}  // namespace shiftnorm::app
