#pragma once

#include <filesystem>
#include <optional>

#include "console.hpp"
#include "exit_code.hpp"
#include "run_place.hpp"
#include "shiftnorm/toolkit/plan.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::app {

/// Keys for data that name patients, where the project has none yet: opening the data would make it, and what a dry run
/// tells does not hang on it. Gone at the end.
class StandInKeys {
 public:
  StandInKeys() = default;
  ~StandInKeys();
  StandInKeys(const StandInKeys&) = delete;
  StandInKeys& operator=(const StandInKeys&) = delete;
  void stand_in(config::Config& config);

 private:
  std::filesystem::path folder_;  ///< made when it is needed
};

/// `run --dry-run`: the resolved YAML, then as its comments what would be done, what that takes and what it writes.
/// Where the checkpoint or the data are not there yet, the YAML alone. Writes nothing.
[[nodiscard]] ExitCode dry_run(const config::Config& config, const RunPlace& place, toolkit::RunOptions job,
                               Console& console);

/// Nothing if checkpoint or data are not there.
[[nodiscard]] std::optional<toolkit::RunPlan> plan_of(const config::Config& config, const toolkit::RunOptions& job,
                                                      Console& console);

}  // namespace shiftnorm::app
