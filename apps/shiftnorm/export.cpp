#include "shiftnorm/experiment/export.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "commands.hpp"
#include "job_options.hpp"
#include "output_files.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/experiment/statistics.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kExport[] = {
    {"stats", "F", "the statistics file (.bnstats), measured on this very checkpoint"},
    {"out", "FILE", "the adapted checkpoint, in the format of the original"},
    {"arch", "NAME", "architecture, for files that hold weights only (default: the one the statistics name)"},
    {"graph", "FILE",
     "file that describes the architecture instead: an ONNX model, whose initialisers name the weights, or for "
     "Keras' weights the JSON of model.to_json()"},
    {"policy", "P", "adabn, blend, mixture, mean-only, variance-only or hybrid (default: adabn)"},
    {"prior-images", "N", "blend: the source counts as N images"},
    {"source-weight", "L", "blend: the source's weight, in [0, 1]"},
    {"layers", "RULE", "e.g. 'layer1.*,!*.bn2,last=4,min_level=2': the layers that take part"},
};
constexpr RefusedOption kRefused[] = {
    {"fold", "", "this version writes BatchNorms as they are, folded into no other layer"},
};

ExitCode export_statistics(const Options& options, Console& console) {
  if (!options.has("stats")) throw ConfigError("--stats: missing; expected a statistics file (.bnstats)");
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the adapted checkpoint");
  const fs::path out = options.text("out");
  if (out.extension() == ".onnx")
    throw ConfigError(
        fmt::format("--out = {}: this version writes the format of the checkpoint, not ONNX", out.string()));
  adapt::Mode mode = mode_of(options, "policy", "adabn");
  experiment::check_exportable(mode);
  OutputFiles files;
  files.expect("--out", out);

  const stats::StatisticsFile file =
      from_option("stats", [&] { return experiment::read_statistics_file(options.text("stats")); });
  mode = experiment::measured_mode(file, mode);
  const experiment::RestoredModel model =
      experiment::restore(options.positional(), network_of(options, file.architecture));
  const stats::Statistics statistics = from_option("stats", [&] { return experiment::applied(model, file, mode); });
  const experiment::Exported exported = experiment::export_checkpoint(
      model, statistics, {out.filename().string(), mode, file.images, file.instruction_set, SHIFTNORM_VERSION},
      experiment::data_facts(file));
  set_exported(files, out, exported);
  files.write();

  console.say(fmt::format("{}: {} from the statistics of {} images\n", out.string(), mode.name, file.images));
  if (console.json())
    console.print(Json::object(
        {{"schema", 1},
         {"images", file.images},
         {"outputs",
          Json::object({{"adapted", out.string()}, {"provenance", experiment::provenance_path(out).string()}})}}));
  return ExitCode::done;
}

}  // namespace

Command export_command() {
  return {{"export",
           "shiftnorm export CHECKPOINT --stats F [--arch NAME] [--policy P] [options] --out FILE",
           "Writes the statistics of a file into a checkpoint; no images are needed.",
           "CHECKPOINT",
           true,
           {kExport},
           kRefused},
          export_statistics};
}

}  // namespace shiftnorm::app
