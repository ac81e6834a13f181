#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/domains.hpp"
#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/experiment/session.hpp"
#include "shiftnorm/experiment/statistics.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kRecalibrate[] = {
    {"out", "ADAPTED", "the adapted checkpoint, in the format of the original; may be the original itself"},
    {"policy", "P", "source, adabn, blend, disabled, identity (default: adabn)"},
    {"stats-out", "F", "also write what was measured, before the policy, as a statistics file (.bnstats)"},
};

constexpr RefusedOption kRefused[] = {
    {"graph", "FILE", "this version builds networks by their architecture's name (--arch)"},
    {"source-data", "WHERE", "this version needs no source sample: it has no policy that measures one"},
    {"resume", "", "this version starts a job from its beginning"},
    {"allow-small-cohort", "", "this version sets no minimum cohort"},
};

/// The statistics file that --stats-out asks for; the two outputs must not be one file.
std::optional<fs::path> statistics_path(const Options& options, const adapt::Mode& mode, const fs::path& out) {
  if (!options.has("stats-out")) return std::nullopt;
  const fs::path path = options.text("stats-out");
  if (!adapt::measures(mode.policy))
    throw ConfigError(
        fmt::format("--stats-out: policy {} measures nothing; expected one that does, such as adabn", mode.name));
  for (const fs::path& other : {out, experiment::provenance_path(out)})
    if (fs::weakly_canonical(path) == fs::weakly_canonical(other))
      throw ConfigError(fmt::format("--stats-out = {}: is written by --out; expected another name", path.string()));
  return path;
}

/// What a recalibration is and where its outputs go.
struct Job {
  adapt::Mode mode;
  fs::path out;
  std::optional<fs::path> statistics;
  std::optional<experiment::DomainConfig> domain;
};

/// One adapted checkpoint, and the statistics that are asked for.
void add_outputs(const Job& job, const experiment::Session& session, const adapt::ModeResult& result,
                 const experiment::ExportFacts& facts, const experiment::DataFacts& data, const fs::path& out,
                 const fs::path& statistics, OutputFiles& files) {
  if (job.statistics)
    files.set(statistics,
              stats::write_statistics(experiment::statistics_file(session.model, result.measured, facts, data)));
  set_exported(files, out, experiment::export_checkpoint(session.model, result.statistics, facts, data));
}

experiment::ExportFacts facts_of(const fs::path& out, const adapt::Mode& mode, const adapt::ModeResult& result) {
  return {out.filename().string(), mode, result.adapted_images, exec::instruction_set(), SHIFTNORM_VERSION};
}

fs::path index_path(const fs::path& out) { return out.string() + ".domains.json"; }

/// One adapted checkpoint for each domain, and their index.
adapt::Timing recalibrate_domains(const Job& job, experiment::Session& session, const Progress& progress,
                                  Console& console, OutputFiles& files, Json& list) {
  const experiment::Domains domains = experiment::find_domains(session, *job.domain);
  const std::vector<adapt::Domain> treated = experiment::treatments(job.mode, domains, *job.domain);
  const adapt::DomainResults results = session.engine->run_domains(treated, session.images, false, progress);
  std::vector<experiment::DomainFile> index;
  std::string said;
  for (std::size_t d = 0; d < treated.size(); ++d) {
    const fs::path out = experiment::domain_path(job.out, domains.stems[d]);
    const fs::path statistics = job.statistics ? experiment::domain_path(*job.statistics, domains.stems[d]) : "";
    const adapt::Mode& mode = treated[d].mode;
    experiment::ExportFacts facts = facts_of(out, mode, results.domains[d]);
    facts.domain = domains.names[d];
    add_outputs(job, session, results.domains[d], facts, experiment::data_facts(session, domains, d), out, statistics,
                files);
    const auto count = static_cast<std::int64_t>(treated[d].images.size());
    index.push_back({job.mode.name, domains.names[d], std::string(adapt::name_of(mode.policy)), count,
                     statistics.filename().string(), out.filename().string()});
    if (mode.policy != job.mode.policy)
      console.warn(fmt::format("domain '{}' has {} images: blend with a prior of {:g} images in place of {}",
                               domains.names[d], count, *mode.prior_images, job.mode.name));
    said += fmt::format("{}: {} from {} images\n", out.string(), adapt::name_of(mode.policy), count);
    list.push(out.string());
  }
  files.set(index_path(job.out), experiment::domain_index(domains.key, index));
  files.write();
  console.say(said);
  return results.seconds;
}

ExitCode recalibrate(const Options& options, Console& console) {
  const experiment::SessionOptions data = [&] {
    experiment::SessionOptions session = session_options_of(options);
    session.labelled = false;
    return session;
  }();
  Job job;
  job.mode = mode_of(options, "policy", "adabn");
  experiment::check_exportable(job.mode);
  const experiment::BadLimit limit = bad_limit_of(options);
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the adapted checkpoint");
  job.out = options.text("out");
  job.domain = domain_of(options);
  OutputFiles files;
  files.expect("--out", job.domain ? index_path(job.out) : job.out);
  job.statistics = statistics_path(options, job.mode, job.out);
  if (job.statistics) files.expect("--stats-out", *job.statistics);

  const Progress progress = console.progress();
  experiment::Session session = experiment::open_session(data, progress);
  for (const std::string& note : session.notes) console.warn(note);
  if (const imaging::LabelCounts* counts = session.dataset->label_counts()) console.info(labels_line(*counts));
  console.info(fmt::format("{}: {} BatchNorms on {} levels, {} images", session.model.checkpoint.file_name,
                           session.engine->batch_norms().size(), session.levels(), session.store->size()));
  JobDocument document;
  document.images = static_cast<std::int64_t>(session.store->size());
  document.skipped = session.dataset->skipped();
  document.bad = static_cast<std::int64_t>(session.store->bad().size());
  document.load = session.load_seconds;
  const bool measures = adapt::measures(job.mode.policy);
  if (job.domain) {
    Json list = Json::array();
    document.adapt = recalibrate_domains(job, session, progress, console, files, list).adapt;
    document.outputs.set("adapted", std::move(list)).set("index", index_path(job.out).string());
  } else {
    const adapt::ModeResult result = session.engine->run(job.mode, session.images, nullptr, progress);
    add_outputs(job, session, result, facts_of(job.out, job.mode, result), experiment::data_facts(session), job.out,
                job.statistics.value_or(""), files);
    document.adapt = result.seconds.adapt;
    document.outputs.set("adapted", job.out.string());
    document.outputs.set("provenance", experiment::provenance_path(job.out).string());
    if (job.statistics) document.outputs.set("statistics", job.statistics->string());
    files.write();
  }
  if (measures && document.adapt > 0)
    document.images_per_second = static_cast<double>(document.images) / document.adapt;
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  std::vector<std::pair<std::string, std::string>> bad;
  for (const imaging::Bad& one : session.store->bad()) bad.emplace_back(one.id, one.reason);
  warn_of_bad(console, bad);
  if (!job.domain)
    console.say(measures ? fmt::format("{}: {} from {} images ({:.1f} images/s)\n", job.out.string(), job.mode.name,
                                       document.images, document.images_per_second)
                         : fmt::format("{}: {}\n", job.out.string(), job.mode.name));
  const std::int64_t images = document.images, bad_files = document.bad;
  if (console.json()) console.print(job_json(std::move(document)));
  return judge_bad(console, limit, images, bad_files);
}

}  // namespace

Command recalibrate_command() {
  return {
      {"recalibrate",
       "shiftnorm recalibrate CHECKPOINT --data WHERE [--arch NAME] [--preprocess NAME|FILE] [options] --out ADAPTED",
       "One checkpoint, one data set, an adapted file of the same format. Labels are not used.",
       "CHECKPOINT",
       true,
       {kRecalibrate, data_options(), table_options(), measure_options(), resource_options()},
       kRefused},
      recalibrate};
}

}  // namespace shiftnorm::app
