#pragma once

#include "shiftnorm/experiment/run.hpp"
#include "shiftnorm/experiment/session.hpp"

namespace shiftnorm::experiment {

/// Fills in what a run says of its configuration: all of it, or, where source or target tell patients, without what may
/// name them, and with the whole of it for the project's own folder (decision 0023).
void describe_config(const Config& config, const RunOptions& options, const Session& session, RunOutcome& outcome);

}  // namespace shiftnorm::experiment
