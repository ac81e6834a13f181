#pragma once

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Every mode of a run, one after the other, on one session: reports, statistics files and exports go into the outcome.
/// Errors  as run_experiment(), each with the mode's name before it.
void run_modes(const config::Config& config, const RunOptions& options, Session& session, RunOutcome& outcome,
               const Progress& progress);

}  // namespace shiftnorm::toolkit
