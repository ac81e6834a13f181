#include "shiftnorm/toolkit/recalibrate.hpp"

#include <fmt/format.h>

#include "commands.hpp"
#include "data_options.hpp"
#include "measure_options.hpp"
#include "network_options.hpp"
#include "recalibrate_files.hpp"
#include "resource_options.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/tables.hpp"
#include "shiftnorm/toolkit/job_document.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;
using toolkit::RecalibrateOptions, results::JobDocument;

constexpr OptionSpec kRecalibrate[] = {
    {"out", "ADAPTED",
     "the adapted checkpoint, may be the original; .onnx and .safetensors convert, any other name keeps the format"},
    {"policy", "P",
     "adabn, matched, blend, mixture, mean-only, variance-only, hybrid-decay, source, disabled, identity or normalise-only "
     "(default: adabn); batch and instance can be evaluated but not written to a file"},
    {"stats-out", "F", "also write what was measured, before the policy, as a statistics file (.bnstats)"},
    {"allow-small-cohort", "", "write a checkpoint from fewer than 11 patients; its provenance records it"},
    kToInference,
    {"resume", "", "continue from what an interrupted call with the same options left beside --out"},
};

RecalibrateOptions recalibration_of(const Options& options, Console& console) {
  RecalibrateOptions job;
  job.session = session_options_of(options);
  job.mode = mode_of(options, "policy", "adabn");
  job.until_settled = options.text("max-images") == "auto";
  job.small_cohort = options.has("allow-small-cohort");
  job.to_inference = options.has("to-inference");
  if (!options.has("out") && !options.has("stats-out"))
    throw ConfigError("--out: missing; expected the name of the adapted checkpoint");
  job.out = options.text("out");
  job.interrupted = options.text("out", options.text("stats-out")) + ".interrupted";
  job.resume = options.has("resume");
  job.events = console.events();
  return job;
}

/// Writes the files and tells what one set of statistics and several have in common.
template <class Outcome>
void finish(const Outcome& outcome, const Options& options, OutputFiles& files, Console& console) {
  if (options.has("quarantine")) files.set(options.text("quarantine"), results::quarantine_csv(outcome.bad));
  set_identities(options, *outcome.session.dataset, files, console);
  files.write();
  warn_of_bad(console, outcome.bad);
  for (const std::string& note : outcome.notes) console.warn(note);
  if (const imaging::LabelCounts* counts = outcome.session.dataset->label_counts())
    console.info(report::labels_line(toolkit::counts_of(*counts)));
}

ExitCode end(JobDocument document, const toolkit::BadLimit& limit, Console& console) {
  const std::int64_t images = document.images, bad = document.bad;
  document.too_many_bad = limit.exceeded({images, bad});
  if (console.json()) console.print(results::job_json(std::move(document)));
  return judge_bad(console, limit, images, bad);
}

ExitCode recalibrate_domains(const RecalibrateOptions& job, const config::DomainConfig& by, const Options& options,
                             Console& console) {
  const toolkit::BadLimit limit = bad_limit_of(options);
  const std::optional<fs::path> statistics = statistics_path(options, job);
  if (job.out.empty()) throw ConfigError("--out: missing; expected the name that the domains' checkpoints derive from");
  const fs::path index = toolkit::domain_index_path(job.out);
  OutputFiles files = recalibrate_files(options, index, statistics);
  const toolkit::AdaptedDomains outcome = toolkit::recalibrate_domains(job, by);
  const std::vector<fs::path> written = outcome.put(files, job.out, statistics);
  finish(outcome, options, files, console);
  JobDocument document = toolkit::document_of(outcome);
  Json list = Json::array();
  for (std::size_t d = 0; d < written.size(); ++d) {
    const adapt::Domain& domain = outcome.treated[d];
    console.say(fmt::format("{}: {} from {} images\n", written[d].string(), adapt::name_of(domain.mode.policy),
                            domain.images.size()));
    list.push(written[d].string());
  }
  document.outputs.set("adapted", std::move(list)).set("index", index.string());
  return end(std::move(document), limit, console);
}

ExitCode recalibrate_whole(const RecalibrateOptions& job, const Options& options, Console& console) {
  const toolkit::BadLimit limit = bad_limit_of(options);
  const std::optional<fs::path> statistics = statistics_path(options, job);
  OutputFiles files = recalibrate_files(options, job.out, statistics);
  const toolkit::Adapted outcome = toolkit::recalibrate(job);
  if (statistics) files.set(*statistics, outcome.statistics_file());
  toolkit::Exported exported;
  if (!job.out.empty()) files.set_exported(job.out, exported = outcome.exported(job.out));
  finish(outcome, options, files, console);
  fs::remove(job.interrupted);
  JobDocument document = toolkit::document_of(outcome);
  if (!job.out.empty())
    document.outputs.set("adapted", job.out.string()).set("provenance", toolkit::provenance_path(job.out).string());
  if (statistics) document.outputs.set("statistics", statistics->string());
  const std::string from = adapt::measures(job.mode.policy) ? fmt::format(" from {} images ({:.1f} images/s)",
                                                                          outcome.images, document.images_per_second)
                                                            : std::string();
  console.say(fmt::format("{}: {}{}{}\n", (job.out.empty() ? *statistics : job.out).string(), job.mode.name, from,
                          conversion(exported)));
  return end(std::move(document), limit, console);
}

ExitCode recalibrate(const Options& options, Console& console) {
  const RecalibrateOptions job = recalibration_of(options, console);
  tell_of_policy_name(options, "policy", console);
  if (const auto by = domain_of(options)) return recalibrate_domains(job, *by, options, console);
  return recalibrate_whole(job, options, console);
}

}  // namespace

Command recalibrate_command() {
  return {{"recalibrate",
           "shiftnorm recalibrate CHECKPOINT --data WHERE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] "
           "[options] --out ADAPTED",
           "Adapts one checkpoint to one data set and writes a file of the same format. Labels are not used.",
           "CHECKPOINT",
           true,
           {kRecalibrate, network_options(), data_options(), table_options(), measure_options(), resource_options()},
           {}},
          recalibrate};
}

}  // namespace shiftnorm::app
