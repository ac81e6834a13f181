#include <fmt/format.h>

#include <filesystem>

#include "commands.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "templates.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kInit[] = {
    {"out", "FILE", "where to write it (default: <name>.yaml here; - is standard output)"},
    {"force", "", "replace an existing file"},
};

const Template& template_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Template& known : templates()) {
    if (known.name == name) return known;
    names.emplace_back(known.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("init: no template '{}'{}; expected one of {}", printable(name),
                                near.empty() ? "" : fmt::format(" (nearest is '{}')", near), join(names)));
}

ExitCode init(const Options& options, Console& console) {
  const Template& chosen = template_of(options.positional().empty() ? "imagenet" : options.positional());
  const std::string out = options.text("out", fmt::format("{}.yaml", chosen.name));
  if (out == "-") {
    write_stdout(chosen.text);
    return ExitCode::done;
  }
  toolkit::OutputFiles files;
  files.expect("--out", out);
  if (fs::exists(out) && !options.has("force"))
    throw ConfigError(fmt::format("{}: exists already; expected a new name (--out FILE), or --force",
                                  fs::path(out).filename().string()));
  files.set(out, chosen.text);
  files.write();
  if (console.json())
    console.print(container::Json::object({{"schema", 1}, {"outputs", container::Json::object({{"config", out}})}}));
  console.say(fmt::format("{}: edit its paths, then: shiftnorm run {} --dry-run\n", out, out));
  return ExitCode::done;
}

}  // namespace

Command init_command() {
  return {{"init",
           "shiftnorm init [imagenet|dicom|cifar10] [--out FILE] [--force]",
           "Writes a commented starting YAML.",
           "template",
           false,
           {kInit},
           {}},
          init};
}

}  // namespace shiftnorm::app
