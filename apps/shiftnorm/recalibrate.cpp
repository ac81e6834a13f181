#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/experiment/session.hpp"
#include "shiftnorm/experiment/statistics.hpp"
#include "summaries.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kRecalibrate[] = {
    {"out", "ADAPTED",
     "the adapted checkpoint, may be the original; .onnx and .safetensors convert, any other name keeps the format"},
    {"policy", "P", "source, adabn, blend, disabled, identity (default: adabn)"},
    {"stats-out", "F", "also write what was measured, before the policy, as a statistics file (.bnstats)"},
};

constexpr std::string_view kNoSites = "this version treats the data as one domain";
constexpr RefusedOption kRefused[] = {
    {"domain", "KEY", kNoSites},
    {"where", "K=V", "this version selects with --max-images alone"},
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

ExitCode recalibrate(const Options& options, Console& console) {
  const adapt::Mode mode = mode_of(options, "policy", "adabn");
  experiment::check_exportable(mode);
  experiment::SessionOptions job = session_options_of(options);
  job.labelled = false;
  job.modes = {mode};
  const experiment::BadLimit limit = bad_limit_of(options);
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the adapted checkpoint");
  const fs::path out = options.text("out");
  OutputFiles files;
  files.expect("--out", out);
  const std::optional<fs::path> statistics = statistics_path(options, mode, out);
  if (statistics) files.expect("--stats-out", *statistics);

  const Progress progress = console.progress();
  experiment::Session session = experiment::open_session(job, progress);
  for (const std::string& note : session.notes) console.warn(note);
  console.info(fmt::format("{}: {} BatchNorms on {} levels, {} images", session.model.checkpoint.file_name,
                           session.engine->batch_norms().size(), session.levels(), session.store->size()));
  const adapt::ModeResult result = session.engine->run(mode, session.images, nullptr, progress);
  const experiment::ExportFacts facts{out.filename().string(), mode, result.adapted_images, exec::instruction_set(),
                                      SHIFTNORM_VERSION};
  const experiment::Exported exported = experiment::export_checkpoint(session, result.statistics, facts);
  if (statistics)
    files.set(*statistics, stats::write_statistics(experiment::statistics_file(session, result.measured, facts)));
  set_exported(files, out, exported);
  files.write();

  JobDocument document;
  document.images = static_cast<std::int64_t>(session.store->size());
  document.skipped = session.dataset->skipped();
  document.bad = static_cast<std::int64_t>(session.store->bad().size());
  document.load = session.load_seconds;
  document.adapt = result.seconds.adapt;
  if (result.seconds.adapt > 0)
    document.images_per_second = static_cast<double>(result.adapted_images) / result.seconds.adapt;
  document.outputs.set("adapted", out.string()).set("provenance", experiment::provenance_path(out).string());
  if (statistics) document.outputs.set("statistics", statistics->string());
  document.too_many_bad = limit.exceeded({document.images, document.bad});
  std::vector<std::pair<std::string, std::string>> bad;
  for (const imaging::Bad& one : session.store->bad()) bad.emplace_back(one.id, one.reason);
  warn_of_bad(console, bad);
  const std::string from = adapt::measures(mode.policy) ? fmt::format(" from {} images ({:.1f} images/s)",
                                                                      result.adapted_images, document.images_per_second)
                                                        : std::string();
  console.say(fmt::format("{}: {}{}{}\n", out.string(), mode.name, from, conversion(exported)));
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
