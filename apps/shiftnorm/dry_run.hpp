#pragma once

#include "console.hpp"
#include "exit_code.hpp"
#include "run_place.hpp"
#include "shiftnorm/experiment/plan.hpp"
#include "shiftnorm/experiment/run.hpp"

namespace shiftnorm::app {

/// `run --dry-run`: the resolved YAML, then as its comments what would be done, what that takes and what it writes.
/// Where the checkpoint or the data are not there yet, the YAML alone. Writes nothing.
[[nodiscard]] ExitCode dry_run(const experiment::Config& config, const RunPlace& place, experiment::RunOptions job,
                               Console& console);

/// The plan, for a key that is not there yet without making it. Nothing if checkpoint or data are not there.
[[nodiscard]] std::optional<experiment::RunPlan> plan_of(experiment::Config config, const experiment::RunOptions& job,
                                                         Console& console);

}  // namespace shiftnorm::app
