#pragma once

#include <vector>

#include "shiftnorm/results/sweep_results.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::app {

/// report.html of a run, and its figures.
[[nodiscard]] std::vector<toolkit::Page> pages_of(const results::RunResults& results);
/// The same of a sweep.
[[nodiscard]] std::vector<toolkit::Page> pages_of(const results::SweepResults& results);

}  // namespace shiftnorm::app
