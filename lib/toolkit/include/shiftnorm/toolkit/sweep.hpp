#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/results/sweep_results.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/run_folder.hpp"
#include "shiftnorm/toolkit/unfinished_work.hpp"

namespace shiftnorm::toolkit {

/// How the runs of a sweep are carried out, and who puts what they find out into words and pages.
struct SweepOptions {
  RunPlace place;
  RunOptions job = {};  ///< of every run; `id`, `folder`, `kept` and `tell` are set for each
  Judging verdict = {};
  std::function<std::vector<Page>(const results::RunResults&)> pages = {};          ///< of each run's folder
  std::function<std::vector<Page>(const results::SweepResults&)> sweep_pages = {};  ///< of the sweep's
  std::function<std::string()> log = {};                                            ///< what run.log is to hold now
  std::function<void(const results::RunResults&)> finished = {};  ///< told of each run of this call, once it is written
  Events events = {};
};

struct SweepOutcome {
  results::SweepResults results;
  std::exception_ptr failure;  ///< of the last run whose inputs turned out bad; null: all are finished
  bool interrupted = false;    ///< what is finished stays; the same call with `place.resume` goes on
};

/// Every run of a sweep into its folder `<id>-<values>` below `place.folder`, then sweep.json, sweep.csv, run.log and
/// the pages of the whole. All runs are addressed and checked before one is started. Runs with the same inputs are
/// computed once, those with the same images share them; with `place.resume`, finished ones are not computed at all. A
/// run whose inputs turn out bad does not end the others.
/// Errors  ConfigError for an absolute export.path, and as run_key() for what is wrong with any run, before the work;
///         MachineError, with what is finished summed up.
[[nodiscard]] SweepOutcome run_sweep(const config::Sweep& sweep, const SweepOptions& options);

/// What run_sweep() would do.
struct SweepPlan {
  results::SweepResults results;  ///< finished runs with what they found
  std::optional<double> seconds;  ///< of the others, from a probe of each network; runs on the same images may share
                                  ///< work; absent: checkpoint or data of one are not there
};
[[nodiscard]] SweepPlan plan_sweep(const config::Sweep& sweep, const SweepOptions& options);

/// "6 runs, 5 different ones, 2 finished"
[[nodiscard]] std::string counts_text(const results::SweepResults& sweep);

}  // namespace shiftnorm::toolkit
