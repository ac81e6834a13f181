#include "shiftnorm/toolkit/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include "commands.hpp"
#include "measure_options.hpp"
#include "network_options.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/toolkit/cohort.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kExport[] = {
    {"stats", "F", "the statistics file (.bnstats), measured on this very checkpoint (default: the file's own)"},
    {"out", "FILE", "the file to write: .onnx and .safetensors convert, any other name keeps the original's format"},
    {"fold", "", "for deployment: fold BatchNorms into the layers before them (.onnx only)"},
    {"policy", "P",
     "adabn, blend, mixture, mean-only, variance-only or hybrid-decay (default: adabn; source without --stats)"},
    kToInference,
    {"allow-small-cohort", "", "write statistics of fewer than 11 patients; the provenance records it"},
    {"prior-images", "N", "blend: the source counts as N images"},
    {"source-weight", "L", "blend: the source's weight, in [0, 1]"},
    {"layers", "RULE", "e.g. 'layer1.*,!*.bn2,last=4,min_level=2': the layers to include"},
};
/// What is to be written, and what is known of where it came from.
struct Source {
  stats::Statistics statistics;
  toolkit::DataFacts data;
  std::int64_t images = 0;
  std::string instruction_set;
};

/// The checkpoint's own statistics, or what a policy that measures nothing makes of them.
Source own_statistics(const toolkit::RestoredModel& model, const adapt::Mode& mode) {
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(model.graph);
  const stats::Statistics source = adapt::source_statistics(model.graph, layers);
  return {adapt::apply_policy(mode, layers, source, source, 0), {}, 0, exec::instruction_set()};
}

Source file_statistics(const toolkit::RestoredModel& model, const stats::StatisticsFile& file,
                       const adapt::Mode& mode) {
  return {from_option("stats", [&] { return toolkit::applied(model, file, mode); }), toolkit::data_facts(file),
          file.images, file.instruction_set};
}

/// The network that the options name or, where they name none, the statistics.
toolkit::NetworkSource measured_network(const Options& options, const std::optional<stats::StatisticsFile>& file) {
  const std::string measured = file ? file->architecture : "";
  const auto names = [&measured](const zoo::Architecture& known) { return known.name == measured; };
  const std::span<const zoo::Architecture> zoo = zoo::architectures();
  if (options.has("arch") || options.has("graph") || measured.empty() || std::any_of(zoo.begin(), zoo.end(), names))
    return network_of(options, measured, file ? file->weights : "");
  throw ConfigError(
      fmt::format("--graph: missing; the statistics were measured on a network that another file describes ({}): "
                  "expected that file",
                  printable(measured)));
}

ExitCode export_checkpoint(const Options& options, Console& console) {
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the file to write");
  const fs::path out = options.text("out");
  if (options.has("fold") && out.extension() != ".onnx")
    throw ConfigError(fmt::format("--fold: folded networks are written as ONNX; expected --out FILE.onnx, not '{}'",
                                  printable(out.filename().string())));
  adapt::Mode mode = mode_of(options, "policy", options.has("stats") ? "adabn" : "source");
  tell_of_policy_name(options, "policy", console);
  toolkit::check_exportable(mode);
  if (!options.has("stats") && adapt::measures(mode.policy))
    throw ConfigError(
        fmt::format("--stats: missing; policy {} uses measured statistics: expected their file (.bnstats)", mode.name));
  toolkit::OutputFiles files;
  files.expect("--out", out);

  std::optional<stats::StatisticsFile> file;
  if (options.has("stats")) {
    file = from_option("stats", [&] { return toolkit::read_statistics_file(options.text("stats")); });
    mode = toolkit::measured_mode(*file, mode);
  }
  const toolkit::RestoredModel model = toolkit::restore(options.positional(), measured_network(options, file));
  const Source source = file ? file_statistics(model, *file, mode) : own_statistics(model, mode);
  toolkit::ExportFacts facts;
  facts.file_name = out.filename().string();
  facts.mode = mode;
  facts.images = source.images;
  facts.instruction_set = source.instruction_set;
  if (file) {
    facts.measured_version = file->program_version;
    facts.libraries = parse_libraries(file->libraries);
  }
  facts.fold = options.has("fold");
  facts.small_cohort = options.has("allow-small-cohort");
  facts.to_inference = options.has("to-inference");
  const toolkit::Exported exported = toolkit::export_checkpoint(model, source.statistics, facts, source.data);
  files.set_exported(out, exported);
  files.write();

  for (const std::string& assumed : model.assumptions) console.warn(assumed);
  toolkit::tell_assumed(console.events(), model.assumed(), model.assumptions);
  for (const std::string& note : toolkit::notes_on_cohort(source.data.patients)) console.warn(note);
  const std::string origin = file ? fmt::format(" from the statistics of {} images", source.images) : std::string();
  console.say(fmt::format("{}: {}{}{}\n", out.string(), mode.name, origin, conversion(exported)));
  if (console.json())
    console.print(Json::object({{"schema", 1},
                                {"images", source.images},
                                {"outputs", Json::object({{"adapted", out.string()},
                                                          {"provenance", toolkit::provenance_path(out).string()}})}}));
  return ExitCode::done;
}

}  // namespace

Command export_command() {
  return {{"export",
           "shiftnorm export CHECKPOINT [--stats F] [--arch NAME] [--policy P] [--fold] [options] --out FILE",
           "Writes the statistics of a file into a checkpoint, and converts it to ONNX or safetensors if the name of "
           "FILE says so; no images are needed.",
           "CHECKPOINT",
           true,
           {kExport, network_options()},
           {}},
          export_checkpoint};
}

}  // namespace shiftnorm::app
