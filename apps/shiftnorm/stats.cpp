#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "commands.hpp"
#include "inspect.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/console_tables.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/reference.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kStats[] = {{"out", "C", "merge: the statistics file (.bnstats) or reference (.bnref) to write"}};

ExitCode show(const std::vector<std::string>& paths, const Options&, Console& console) {
  if (paths.size() != 1) throw ConfigError(fmt::format("stats show: {} files; expected one", paths.size()));
  if (fs::path(paths[0]).extension() == ".bnref")
    show_reference(paths[0], console);
  else
    show_statistics(paths[0], console);
  return ExitCode::done;
}

ExitCode merge_references(const std::vector<std::string>& paths, const fs::path& out, toolkit::OutputFiles& files,
                          Console& console) {
  const stats::Reference merged = toolkit::merge_references(std::vector<fs::path>(paths.begin(), paths.end()));
  for (const std::string& note : toolkit::notes_on_reference(merged)) console.warn(note);
  files.set(out, stats::write_reference(merged));
  files.write();
  console.say(fmt::format("{}: {} images of {} files\n", out.string(), merged.images, paths.size()));
  if (console.json())
    console.print(results::reference_json(merged).set("outputs", Json::object({{"reference", out.string()}})));
  return ExitCode::done;
}

ExitCode merge(const std::vector<std::string>& paths, const Options& options, Console& console) {
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the merged statistics file");
  const fs::path out = options.text("out");
  toolkit::OutputFiles files;
  files.expect("--out", out);
  if (std::ranges::any_of(paths, [](const fs::path& path) { return path.extension() == ".bnref"; }))
    return merge_references(paths, out, files, console);
  const toolkit::MergedStatistics merged = toolkit::merge_statistics(std::vector<fs::path>(paths.begin(), paths.end()));
  for (const std::string& note : merged.notes) console.warn(note);
  files.set(out, stats::write_statistics(merged.file));
  files.write();
  console.say(fmt::format("{}: {} images of {} files\n", out.string(), merged.file.images, paths.size()));
  if (console.json())
    console.print(Json::object({{"schema", 1},
                                {"images", merged.file.images},
                                {"files", static_cast<std::int64_t>(paths.size())},
                                {"outputs", Json::object({{"statistics", out.string()}})}}));
  return ExitCode::done;
}

ExitCode diff(const std::vector<std::string>& paths, const Options&, Console& console) {
  if (paths.size() != 2) throw ConfigError(fmt::format("stats diff: {} files; expected two", paths.size()));
  const toolkit::ComparedStatistics compared = toolkit::compare_statistics(paths[0], paths[1]);
  for (const std::string& note : compared.notes) console.warn(note);
  console.say(report::distance_table(compared.layers));
  if (console.json())
    console.print(Json::object({{"schema", 1}, {"layers", results::distances_json(compared.layers)}}));
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
