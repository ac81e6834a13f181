#pragma once

#include "console.hpp"
#include "run_place.hpp"
#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::app {

/// Every run of a sweep into its folder below `place.folder`, then sweep.json and sweep.csv. Runs with the same inputs
/// are computed once; with `place.resume`, finished ones not at all. A run whose inputs turn out bad does not end the
/// others; it decides the exit code. dry: only says what would be done.
[[nodiscard]] ExitCode run_sweep(const config::Sweep& sweep, const RunPlace& place, toolkit::RunOptions job,
                                 const toolkit::BadLimit& limit, bool dry, Console& console);

}  // namespace shiftnorm::app
