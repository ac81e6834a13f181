#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/results/run_record.hpp"

/// What the runs of a sweep found out, side by side.
namespace shiftnorm::results {

enum class RunStatus { waiting, finished, failed };
inline constexpr auto kRunStatus = names<Named<RunStatus>>(
    "status", {{"waiting", RunStatus::waiting}, {"finished", RunStatus::finished}, {"failed", RunStatus::failed}});

/// One run of a sweep.
struct SweepCell {
  std::vector<std::string> values;               ///< one for each of SweepResults::keys, as people read them
  std::string folder;                            ///< of the run, relative to the sweep's; empty: no link
  std::optional<RunRecord> record;               ///< absent: it is not finished
  std::optional<Recommendation> recommendation;  ///< without target labels
  double seconds = 0;                            ///< loading, adapting and evaluating
  std::string reason;                            ///< why it failed
  std::string id;                                ///< its address by content (toolkit::run_key)
  RunStatus status = RunStatus::waiting;
};

/// A cell's findings; it is finished then.
void fill_cell(SweepCell& cell, const RunResults& results);

/// Everything a sweep found out: what sweep.json, sweep.csv and its page are written from.
struct SweepResults {
  std::string name, program_version;
  std::vector<std::string> keys;  ///< key paths of the configuration, "data.target.shift"
  std::vector<SweepCell> cells;   ///< several may have the same id, and then the same findings
  std::string command;            ///< that repeats it; no folders

  [[nodiscard]] std::size_t count(RunStatus status) const;
  [[nodiscard]] std::size_t different() const;  ///< ids
};

/// "shift = fog: 3, seed = 1": a cell's values beside the last parts of their keys.
[[nodiscard]] std::string values_text(const SweepResults& sweep, const SweepCell& cell);

/// sweep.json: {"schema", "name", "keys", "runs": [{"id", "folder", "values", "status", "reason", "modes":
/// [{"name", "metrics"}], "recommendation"}]}; `reason` of failed runs and `recommendation` where there is one.
[[nodiscard]] container::Json sweep_json(const SweepResults& sweep);
/// sweep.csv: a line for each run, mode and metric, with a column for each key. Numbers carry every digit; empty where
/// there is none.
[[nodiscard]] std::string sweep_csv(const SweepResults& sweep);

}  // namespace shiftnorm::results
