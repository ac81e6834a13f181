#include <fmt/format.h>

#include <array>
#include <csignal>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "shiftnorm/core/heap.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/imaging/decoder_host.hpp"
#include "signals.hpp"

namespace shiftnorm::app {
namespace {

const std::array<Command, 10>& commands() {
  static const std::array<Command, 10> all{
      run_command(),     recalibrate_command(), evaluate_command(), export_command(), reference_command(),
      inspect_command(), stats_command(),       results_command(),  pull_command(),   init_command()};
  return all;
}

std::string usage() {
  std::string text =
      "usage: shiftnorm COMMAND ...\n\nRe-estimates, compares and exports BatchNorm statistics for a new domain.\n\n";
  for (const Command& command : commands())
    text += fmt::format("  {:<12} {}\n", command.line.command, command.line.summary);
  return text + "\nshiftnorm COMMAND --help shows more; shiftnorm --version prints the version.\n";
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.line.command == name) return command;
    names.emplace_back(command.line.command);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("{}: is not a command{}; expected one of {}", printable(name),
                                near.empty() ? "" : fmt::format(" (nearest is '{}')", near), join(names)));
}

ExitCode dispatch(std::vector<std::string> tokens, Console& console) {
  if (tokens.empty()) throw ConfigError("no command; expected one that 'shiftnorm --help' lists");
  if (tokens[0] == "--version") {
    write_stdout(fmt::format("shiftnorm {}\n", version()));
    return ExitCode::done;
  }
  for (std::string& token : tokens)
    if (token == "-h") token = "--help";
  if (tokens[0] == "--help") {
    write_stdout(usage());
    return ExitCode::done;
  }
  const Command& command = find_command(tokens[0]);
  tokens.erase(tokens.begin());
  const Options options(command.line, tokens);
  if (options.help()) {
    write_stdout(help_text(command.line));
    return ExitCode::done;
  }
  console.configure(options);
  if (options.has("isa")) from_option("isa", [&] { exec::limit_instruction_set(options.text("isa")); });
  return command.run(options, console);
}

int run_program(const std::vector<std::string>& tokens) {
  Console console;
  try {
    return static_cast<int>(dispatch(tokens, console));
  } catch (...) {
    const Failure failure = failure_of(std::current_exception());
    console.fail(failure);
    return static_cast<int>(failure.code);
  }
}

}  // namespace
}  // namespace shiftnorm::app

/// What main.cpp loads and calls.
extern "C" __attribute__((visibility("default"))) int shiftnorm_main(int argc, char** argv) {
  shiftnorm::keep_freed_memory();
  const std::vector<std::string> tokens(argv + 1, argv + argc);
  // Before threads and signal handlers: decoding helpers are forked from what the program is now. --version and --help
  // need none, and a fork costs an eighth of their time.
  std::optional<shiftnorm::imaging::DecoderHost> decoders;
  if (!tokens.empty() && !tokens[0].starts_with('-')) decoders.emplace();
  shiftnorm::app::install_signal_handlers();
  // A reader that went away is a failed write, which has its exit code.
  std::signal(SIGPIPE, SIG_IGN);
  return shiftnorm::app::run_program(tokens);
}
