#pragma once

#include "console.hpp"
#include "exit_code.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::app {

/// `run --dry-run`: the resolved YAML, then as its comments what would be done, what that takes and what it writes.
/// Where the checkpoint or the data are not there yet, the YAML alone. Writes nothing.
[[nodiscard]] ExitCode dry_run(const config::Config& config, const toolkit::RunPlace& place,
                               const toolkit::RunOptions& job, Console& console);

}  // namespace shiftnorm::app
