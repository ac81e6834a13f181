#pragma once

#include <string>
#include <vector>

#include "shiftnorm/results/run_record.hpp"

/// What the command `results` asks of many runs: tables of scores, compared, averaged and sorted.
namespace shiftnorm::results {

/// A table of text. Numbers carry every digit that a double needs.
struct ResultsTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< as many cells as columns
  std::vector<bool> numeric;                   ///< per column; an empty cell of such a one is a missing number
};

/// Which scores, and how they are laid out. Keys are a run's settings (data.target.shift.fog) or one of run, name,
/// sweep, folder, finished, protocol, model, fingerprint, program_version, images and id.
struct RunQuery {
  std::vector<std::string> where;           ///< KEY=VALUE: only runs that meet them all
  std::vector<std::string> metrics, modes;  ///< only these; empty: all
  std::string compare;                      ///< differences to this mode of the same run, or to the same mode of this
                                            ///< run (its name, or four or more digits of its id); empty: none
  bool wide = false;                        ///< one row per run and metric, a column for each mode
  std::vector<std::string> mean_by;         ///< means over the runs that agree in these keys; may name a map of
                                            ///< settings (data.target.shift). Goes before `wide`
  bool reasons = false;                     ///< neither wide nor means: a column with the reason of a missing number
  std::string sort;  ///< a column, `-column`: downwards; missing values last; empty: oldest run first
};

/// One row per run, mode and metric unless the query says otherwise; beside the run's name the settings in which the
/// selected runs differ. A mode that some runs of a mean lack has none: it would be over other runs than its
/// neighbours'.
/// Errors  ConfigError for a key, metric, mode, run or column that there is none of, which begins with the name of the
///         part of the query as the command writes it (`where seed2: ...`, `mean-by ...`).
[[nodiscard]] ResultsTable table_of(const std::vector<RunRecord>& runs, const RunQuery& query);

}  // namespace shiftnorm::results
