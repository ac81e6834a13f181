#include <fmt/format.h>

#include <filesystem>

#include "commands.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "templates.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kInit[] = {
    {"out", "FILE", "where to write it (default: <name>.yaml here; - is standard output)"},
    {"force", "", "replace an existing file"},
    {"schema", "", "write the JSON Schema of the YAML instead, for editors (default: schema.json here)"},
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

/// What is written, and its usual name.
struct Start {
  std::string text, file;
};

Start start_of(const Options& options) {
  if (options.has("schema")) {
    if (!options.positional().empty())
      throw ConfigError("--schema: is of every experiment, and so of no template; expected one of them");
    return {config::schema_json(), "schema.json"};
  }
  const Template& chosen = template_of(options.positional().empty() ? "imagenet" : options.positional());
  return {std::string(chosen.text), fmt::format("{}.yaml", chosen.name)};
}

ExitCode init(const Options& options, Console& console) {
  const Start start = start_of(options);
  const std::string out = options.text("out", start.file);
  if (out == "-") {
    write_stdout(start.text);
    return ExitCode::done;
  }
  toolkit::OutputFiles files;
  files.expect("--out", out);
  if (fs::exists(out) && !options.has("force"))
    throw ConfigError(fmt::format("{}: exists already; expected a new name (--out FILE), or --force",
                                  fs::path(out).filename().string()));
  files.set(out, start.text);
  files.write();
  if (console.json())
    console.print(container::Json::object(
        {{"schema", 1}, {"outputs", container::Json::object({{options.has("schema") ? "schema" : "config", out}})}}));
  console.say(options.has("schema")
                  ? fmt::format("{}: a YAML's first line for editors: # yaml-language-server: $schema={}\n", out, out)
                  : fmt::format("{}: edit its paths, then: shiftnorm run {} --dry-run\n", out, out));
  return ExitCode::done;
}

}  // namespace

Command init_command() {
  return {{"init",
           "shiftnorm init [imagenet|dicom|cifar10 | --schema] [--out FILE] [--force]",
           "Writes a commented starting YAML, or the JSON Schema of the YAML.",
           "template",
           false,
           {kInit},
           {}},
          init};
}

}  // namespace shiftnorm::app
