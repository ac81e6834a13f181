#pragma once

#include "console.hpp"
#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::app {

/// toolkit::run_sweep() with its pages, and what is printed. A run whose inputs turn out bad decides the exit code.
/// dry: only says what would be done.
[[nodiscard]] ExitCode run_sweep(const config::Sweep& sweep, const toolkit::RunPlace& place,
                                 const toolkit::RunOptions& job, const toolkit::BadLimit& limit, bool dry,
                                 Console& console);

}  // namespace shiftnorm::app
