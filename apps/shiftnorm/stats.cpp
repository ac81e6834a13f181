#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "commands.hpp"
#include "inspect.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/stats/distance.hpp"
#include "shiftnorm/stats/settling.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kStats[] = {{"out", "C", "merge: the statistics file to write"}};

std::string name_of(const std::string& path) { return fs::path(path).filename().string(); }

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push(value);
  return out;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(printable(text)); }

Json header_json(const stats::StatisticsFile& file) {
  Json fingerprints = Json::array();
  for (const std::string& fingerprint : file.fingerprints) fingerprints.push(printable(fingerprint));
  return Json::object({{"schema", 1},
                       {"semantics", file.semantics},
                       {"estimator", file.estimator},
                       {"batch", file.batch > 0 ? Json(file.batch) : Json()},
                       {"shuffle", text_or_null(file.shuffle)},
                       {"images", file.images},
                       {"drawn", text_or_null(file.drawn)},
                       {"shift", text_or_null(file.shift)},
                       {"patients", file.patients ? Json(*file.patients) : Json()},
                       {"model_sha256", printable(file.model_sha256)},
                       {"architecture", text_or_null(file.architecture)},
                       {"preprocess", Json::object({{"name", text_or_null(file.preprocess)},
                                                    {"sha256", text_or_null(file.preprocess_sha256)}})},
                       {"data_fingerprints", std::move(fingerprints)},
                       {"instruction_set", text_or_null(file.instruction_set)},
                       {"version", text_or_null(file.program_version)},
                       {"libraries", text_or_null(file.libraries)}});
}

std::string header_text(const std::string& where, const stats::StatisticsFile& file) {
  return fmt::format("{}: {}, {}{}; {} images{}, {} layers\nmodel {} ({}), preprocessing {}, {}, version {}\n",
                     printable(name_of(where)), file.semantics, file.estimator,
                     file.batch > 0 ? fmt::format(", batches of {}", file.batch) : "", file.images,
                     file.patients ? fmt::format(" of {} patients", *file.patients) : "", file.layers.size(),
                     printable(file.model_sha256, 12), printable(file.architecture), printable(file.preprocess),
                     printable(file.instruction_set), printable(file.program_version));
}

std::size_t name_width(const stats::Statistics& layers) {
  std::size_t width = 5;
  for (const stats::LayerStatistics& layer : layers) width = std::max(width, printable(layer.name).size());
  return width;
}

ExitCode show(const std::vector<std::string>& paths, const Options&, Console& console) {
  if (paths.size() != 1) throw ConfigError(fmt::format("stats show: {} files; expected one", paths.size()));
  show_statistics(paths[0], console);
  return ExitCode::done;
}

ExitCode merge(const std::vector<std::string>& paths, const Options& options, Console& console) {
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the merged statistics file");
  const fs::path out = options.text("out");
  toolkit::OutputFiles files;
  files.expect("--out", out);
  std::vector<stats::NamedStatistics> parts;
  parts.reserve(paths.size());
  for (const std::string& path : paths) parts.push_back({name_of(path), toolkit::read_statistics_file(path)});
  stats::StatisticsFile total = stats::merged(parts);
  for (const stats::NamedStatistics& part : parts)
    if (part.file.fingerprints.empty())
      console.warn(fmt::format(
          "{}: has no fingerprint of its images; whether another part contains them too cannot be checked", part.name));
  files.set(out, stats::write_statistics(total));
  files.write();
  console.say(fmt::format("{}: {} images of {} files\n", out.string(), total.images, parts.size()));
  if (console.json())
    console.print(Json::object({{"schema", 1},
                                {"images", total.images},
                                {"files", static_cast<std::int64_t>(parts.size())},
                                {"outputs", Json::object({{"statistics", out.string()}})}}));
  return ExitCode::done;
}

ExitCode diff(const std::vector<std::string>& paths, const Options&, Console& console) {
  if (paths.size() != 2) throw ConfigError(fmt::format("stats diff: {} files; expected two", paths.size()));
  const stats::StatisticsFile a = toolkit::read_statistics_file(paths[0]), b = toolkit::read_statistics_file(paths[1]);
  const std::vector<stats::LayerDistance> layers = [&] {
    try {
      return stats::distances(a.layers, b.layers);
    } catch (const Error&) {
      rethrow_at(name_of(paths[1]));
    }
  }();
  if (a.model_sha256 != b.model_sha256) console.warn("the two files were measured on different networks");
  if (a.preprocess_sha256 != b.preprocess_sha256)
    console.warn("the two files were measured with different preprocessing");
  console.say(report::distance_table(layers));
  if (console.json()) console.print(Json::object({{"schema", 1}, {"layers", results::distances_json(layers)}}));
  return ExitCode::done;
}

struct Action {
  std::string_view name;
  ExitCode (*run)(const std::vector<std::string>& paths, const Options& options, Console& console);
  bool writes;
};
constexpr Action kActions[] = {{"show", show, false}, {"diff", diff, false}, {"merge", merge, true}};

ExitCode statistics(const Options& options, Console& console) {
  const std::string& name = options.positional();
  for (const Action& action : kActions) {
    if (action.name != name) continue;
    if (!action.writes && options.has("out"))
      throw ConfigError(fmt::format("--out: stats {} writes no file; expected no --out", name));
    return action.run({options.positionals().begin() + 1, options.positionals().end()}, options, console);
  }
  throw ConfigError(fmt::format("stats {}: is not an action; expected show, diff or merge", printable(name)));
}

}  // namespace

void show_statistics(const std::string& where, Console& console) {
  const stats::StatisticsFile file = toolkit::read_statistics_file(where);
  const std::size_t width = name_width(file.layers);
  std::string text = header_text(where, file);
  text += fmt::format("{:<{}}  {:>8}  {:>12}  {:>24}  {:>24}  {:>8}\n", "layer", width, "channels", "values", "mean",
                      "variance", "error");
  const auto settling = stats::settling(stats::pooling_of(file.semantics, file.estimator), file.layers, {});
  const auto error_of = [&](const std::string& name) {
    const auto found = std::ranges::find(settling, name, &stats::LayerSettling::name);
    return found == settling.end() ? std::numeric_limits<double>::quiet_NaN() : found->error;
  };
  Json layers = Json::array();
  for (const stats::LayerStatistics& layer : file.layers) {
    const auto range = [](const std::vector<double>& v) {
      return fmt::format("{:.4g} .. {:.4g}", *std::ranges::min_element(v), *std::ranges::max_element(v));
    };
    const double error = error_of(layer.name);
    text +=
        fmt::format("{:<{}}  {:>8}  {:>12}  {:>24}  {:>24}  {:>8}\n", printable(layer.name), width, layer.mean.size(),
                    layer.values == 0 ? "not measured" : std::to_string(layer.values), range(layer.mean),
                    range(layer.variance), std::isfinite(error) ? fmt::format("{:.4f}", error) : "-");
    layers.push(Json::object({{"name", printable(layer.name)},
                              {"channels", static_cast<std::int64_t>(layer.mean.size())},
                              {"values", layer.values},
                              {"images", layer.images},
                              {"batches", layer.batches},
                              {"exact", layer.sums.channels() > 0},
                              {"error", std::isfinite(error) ? Json(error) : Json()},
                              {"mean", numbers(layer.mean)},
                              {"variance", numbers(layer.variance)}}));
  }
  text += fmt::format("error: how far the estimate may be off, in standard deviations; settled below {}\n",
                      stats::kSettled);
  console.say(text);
  if (console.json()) console.print(header_json(file).set("layers", std::move(layers)));
}

Command stats_command() {
  return {{"stats",
           "shiftnorm stats show A | stats diff A B | stats merge A B.. --out C",
           "Shows what is in a statistics file, compares two layer by layer, or merges those of several sites.",
           "show, diff or merge with statistics files",
           true,
           {kStats},
           {},
           true},
          statistics};
}

}  // namespace shiftnorm::app
