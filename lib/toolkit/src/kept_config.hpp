#pragma once

#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Fills in what a run says of its configuration: all of it, or, where source or target identify patients, without what
/// may name them, and with the whole of it for the project's own folder (decision 0023).
void describe_config(const config::Config& config, const RunOptions& options, const Session& session,
                     RunOutcome& outcome);

}  // namespace shiftnorm::toolkit
