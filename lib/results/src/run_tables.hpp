#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/results/run_query.hpp"

namespace shiftnorm::results {

/// One row: a score with its run, and what it is compared with.
struct ScoreRow {
  const RunRecord* run = nullptr;
  const ScoreRecord* score = nullptr;
  std::optional<double> difference;
};

/// What a run is known by beside its settings.
[[nodiscard]] std::vector<std::string> run_fields();
/// Of a field or a setting; nothing where the run has neither.
[[nodiscard]] std::optional<std::string> property(const RunRecord& run, std::string_view key);
/// Settings in which the runs differ: the columns that tell them apart.
[[nodiscard]] std::vector<std::string> differing(const std::vector<RunRecord>& runs);

/// The tables of a query; `settings` become columns.
[[nodiscard]] ResultsTable score_table(const std::vector<ScoreRow>& rows, const std::vector<std::string>& settings,
                                       const RunQuery& query);
[[nodiscard]] ResultsTable wide_table(const std::vector<ScoreRow>& rows, const std::vector<std::string>& settings,
                                      const RunQuery& query);
[[nodiscard]] ResultsTable mean_table(const std::vector<ScoreRow>& rows, const RunQuery& query);
/// By a column of the table.
void sort_by(ResultsTable& table, const std::string& column, bool down);

}  // namespace shiftnorm::results
