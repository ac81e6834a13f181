#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::toolkit {

/// Where a call of `run` leaves what it finds out.
struct RunPlace {
  std::filesystem::path folder;  ///< of the run; of a sweep: its runs' folders are in it
  std::filesystem::path store;   ///< the table of all runs (results::ResultsStore); empty: none
  bool resume = false;           ///< what an earlier call finished or kept is taken
};

/// A file of a run's folder that another module makes of what was found out: report.html, a figure.
struct Page {
  std::filesystem::path path;  ///< in the folder; one that ends in '/' is a folder, which may stay empty
  std::string text;
};

/// results.json of a run folder.
struct FinishedRun {
  std::string text;
  results::RunResults results;
};

/// The folder that one run leaves: what it keeps in the project's folder, config.yaml, results.json, predictions.csv,
/// quarantine.csv, run.log, stats/*.bnstats, domains.json, the export, and pages.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Nothing unless the folder holds the results of exactly this run (run_key). Errors  MachineError.
  [[nodiscard]] std::optional<FinishedRun> finished(const std::string& id) const;

  /// A new folder appears whole or not at all; in one that is there each file is replaced whole, results.json last.
  /// Errors  MachineError; what was made for a new folder is taken away again.
  void write(const RunOutcome& outcome, std::span<const Page> pages, const std::string& log) const;

 private:
  std::filesystem::path path_;
};

/// Puts a finished run into the store of `place`, if there is one; `folder`: the run's, `sweep`: its name, or empty.
/// Errors  as results::ResultsStore.
void record_run(const RunPlace& place, const results::RunResults& results, const std::filesystem::path& folder,
                const std::string& sweep);

/// Written into a run folder, as paths in it (absolute ones as they are); folders end in '/'.
[[nodiscard]] std::vector<std::string> files_of_run(const config::Config& config);

}  // namespace shiftnorm::toolkit
