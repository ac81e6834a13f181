#pragma once

#include <span>

#include "console.hpp"
#include "options.hpp"

namespace shiftnorm::app {

/// One subcommand: its options, and what it does with them. `run` returns the exit code or throws.
struct Command {
  CommandLine line;
  ExitCode (*run)(const Options& options, Console& console);
};

[[nodiscard]] Command run_command();
[[nodiscard]] Command recalibrate_command();
[[nodiscard]] Command evaluate_command();
[[nodiscard]] Command export_command();
[[nodiscard]] Command reference_command();
[[nodiscard]] Command inspect_command();
[[nodiscard]] Command stats_command();
[[nodiscard]] Command pull_command();
[[nodiscard]] Command results_command();
[[nodiscard]] Command init_command();

}  // namespace shiftnorm::app
