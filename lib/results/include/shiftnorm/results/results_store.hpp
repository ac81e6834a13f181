#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/results/run_record.hpp"

namespace shiftnorm::results {

/// The finished runs of a laboratory in one SQLite file (runs.sqlite): one row per run, mode and metric.
/// Tables: `runs`; `settings` (run, key, value), every key of the configuration; `scores`. Several processes may write
/// at once: each run is one transaction, and others wait for it.
class ResultsStore {
 public:
  enum class Access { read, write };
  /// Makes the file and its tables when they are missing and may be written.
  /// Errors  FormatError for a file that is missing (read) or no store; UnsupportedError for one of a newer program;
  ///         MachineError if it cannot be opened, read or written, or stays locked for a minute.
  ResultsStore(const std::filesystem::path& file, Access access);
  ~ResultsStore();

  /// Puts a run in, in the place of one with the same name and id.
  void put(const RunRecord& run);
  /// Every run, oldest first.
  [[nodiscard]] std::vector<RunRecord> all() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shiftnorm::results
