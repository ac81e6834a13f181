#include "shiftnorm/results/run_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "run_tables.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::results {
namespace {

void check_known(std::string_view part, const std::string& key, const std::set<std::string>& known) {
  if (known.contains(key)) return;
  const std::vector<std::string> names(known.begin(), known.end());
  const std::string near = nearest(key, names);
  throw ConfigError(fmt::format("{} {}: is not in any of the runs{}", part, printable(key),
                                near.empty() ? fmt::format("; expected one of {}", printable(join(names), 400))
                                             : fmt::format("; nearest is '{}'", near)));
}

void keep_where(std::vector<RunRecord>& runs, const std::vector<std::string>& conditions) {
  const std::vector<std::string> fields = run_fields();
  std::set<std::string> known(fields.begin(), fields.end());
  for (const RunRecord& run : runs)
    for (const auto& [key, value] : run.settings) known.insert(key);
  for (const std::string& condition : conditions) {
    const std::size_t equals = condition.find('=');
    if (equals == std::string::npos || equals == 0)
      throw ConfigError(fmt::format("where = {}; expected KEY=VALUE", printable(condition)));
    const std::string key = condition.substr(0, equals), value = condition.substr(equals + 1);
    check_known("where", key, known);
    std::erase_if(runs, [&](const RunRecord& run) { return property(run, key) != value; });
  }
}

const RunRecord& run_named(const std::vector<RunRecord>& runs, const std::string& name) {
  const RunRecord* found = nullptr;
  for (const RunRecord& run : runs) {
    const bool is = run.name == name || (name.size() >= 4 && run.id.starts_with(name));
    if (!is) continue;
    if (found != nullptr && found->id != run.id)
      throw ConfigError(fmt::format("compare = {}: names several runs; expected one id", printable(name)));
    found = &run;
  }
  if (found == nullptr)
    throw ConfigError(fmt::format("compare = {}: is neither a mode nor a run of the store", printable(name)));
  return *found;
}

const ScoreRecord* score_of(const RunRecord& run, const std::string& mode, const std::string& metric) {
  for (const ScoreRecord& score : run.scores)
    if (score.mode == mode && score.metric == metric) return &score;
  return nullptr;
}

/// Keys of settings and of the maps that they are in.
std::set<std::string> groupable(const std::vector<RunRecord>& runs) {
  const std::vector<std::string> fields = run_fields();
  std::set<std::string> known(fields.begin(), fields.end());
  for (const RunRecord& run : runs)
    for (const auto& [key, value] : run.settings)
      for (std::size_t end = 0; end != std::string::npos;) {
        end = key.find('.', end + 1);
        known.insert(key.substr(0, end));
      }
  return known;
}

/// The metrics and modes that any run has.
struct Known {
  std::set<std::string> metrics, modes;
  explicit Known(const std::vector<RunRecord>& runs) {
    for (const RunRecord& run : runs)
      for (const ScoreRecord& score : run.scores) {
        metrics.insert(score.metric);
        modes.insert(score.mode);
      }
  }
};

bool wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

/// The scores that are asked for; `other`: the run to compare with, by_mode: the mode.
std::vector<ScoreRow> rows_of(const std::vector<RunRecord>& runs, const RunQuery& query, const RunRecord* other,
                              bool by_mode) {
  std::vector<ScoreRow> rows;
  for (const RunRecord& run : runs)
    for (const ScoreRecord& score : run.scores) {
      if (!wanted(query.metrics, score.metric) || !wanted(query.modes, score.mode)) continue;
      ScoreRow row{&run, &score, std::nullopt};
      if (!query.compare.empty()) {
        const ScoreRecord* base =
            score_of(other != nullptr ? *other : run, by_mode ? query.compare : score.mode, score.metric);
        if (base != nullptr && base->value && score.value) row.difference = *score.value - *base->value;
      }
      rows.push_back(row);
    }
  return rows;
}

}  // namespace

ResultsTable table_of(const std::vector<RunRecord>& all, const RunQuery& query) {
  std::vector<RunRecord> runs = all;
  keep_where(runs, query.where);
  const Known known(all);
  for (const std::string& metric : query.metrics) check_known("metric", metric, known.metrics);
  for (const std::string& mode : query.modes) check_known("modes", mode, known.modes);
  const bool by_mode = known.modes.contains(query.compare);
  const RunRecord* other = query.compare.empty() || by_mode ? nullptr : &run_named(all, query.compare);
  const std::vector<ScoreRow> rows = rows_of(runs, query, other, by_mode);
  for (const std::string& key : query.mean_by) check_known("mean-by", key, groupable(all));
  const std::vector<std::string> settings = differing(runs);
  ResultsTable table = !query.mean_by.empty() ? mean_table(rows, query)
                       : query.wide           ? wide_table(rows, settings, query)
                                              : score_table(rows, settings, query);
  if (query.sort.empty()) return table;
  const bool down = query.sort.starts_with('-');
  const std::string column = query.sort.substr(down ? 1 : 0);
  check_known("sort", column, {table.columns.begin(), table.columns.end()});
  sort_by(table, column, down);
  return table;
}

}  // namespace shiftnorm::results
