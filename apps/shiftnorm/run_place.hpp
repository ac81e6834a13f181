#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "options.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/results/run_record.hpp"

namespace shiftnorm::app {

/// Where a call of `run` leaves what it finds out.
struct RunPlace {
  std::filesystem::path folder;
  std::filesystem::path store;  ///< runs.sqlite; empty: none
  bool resume = false;
};

/// --out, --store and --resume.
[[nodiscard]] RunPlace place_of(const Options& options, const std::string& name);

/// results.json of a run folder.
struct FinishedRun {
  std::string text;
  results::RunResults results;
};
/// Nothing unless the folder holds the results of exactly this run.
[[nodiscard]] std::optional<FinishedRun> finished_run(const std::filesystem::path& folder, const std::string& id);

/// Puts a finished run into the store, if there is one. Errors  as results::ResultsStore.
void record_run(const RunPlace& place, const results::RunResults& results, const std::filesystem::path& folder,
                const std::string& sweep);

}  // namespace shiftnorm::app
