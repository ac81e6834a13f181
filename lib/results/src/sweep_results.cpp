#include "shiftnorm/results/sweep_results.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/results/results_json.hpp"

namespace shiftnorm::results {
namespace {

using container::Json;

std::string number_text(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

const std::vector<ScoreRecord>& scores_of(const SweepCell& cell) {
  static const std::vector<ScoreRecord> none;
  return cell.record ? cell.record->scores : none;
}

Json modes_json(const SweepCell& cell) {
  const std::vector<ScoreRecord>& scores = scores_of(cell);
  Json modes = Json::array();
  for (auto at = scores.begin(); at != scores.end();) {
    Json metrics = Json::object();
    const std::string& name = at->mode;
    for (; at != scores.end() && at->mode == name; ++at)
      metrics.set(at->metric, Json::object({{"value", container::value_or_null(at->value)},
                                            {"low", container::value_or_null(at->low)},
                                            {"high", container::value_or_null(at->high)},
                                            {"difference", container::value_or_null(at->difference)},
                                            {"p", container::value_or_null(at->p)}}));
    modes.push(Json::object({{"name", name}, {"metrics", std::move(metrics)}}));
  }
  return modes;
}

Json run_json(const SweepResults& sweep, const SweepCell& cell) {
  Json values = Json::object();
  for (std::size_t i = 0; i < sweep.keys.size(); ++i) values.set(sweep.keys[i], cell.values[i]);
  Json run = Json::object({{"id", cell.id},
                           {"folder", cell.folder},
                           {"values", std::move(values)},
                           {"status", kRunStatus.name_of(cell.status)}});
  if (!cell.reason.empty()) run.set("reason", cell.reason);
  run.set("modes", modes_json(cell));
  if (const auto& told = cell.recommendation)
    run.set("recommendation",
            Json::object({{"mode", container::value_or_null(told->mode)}, {"confidence", told->confidence}}));
  return run;
}

}  // namespace

void fill_cell(SweepCell& cell, const RunResults& results) {
  cell.record = record_of(results);
  cell.recommendation = results.recommendation;
  cell.seconds = results.load_seconds;
  for (const ModeReport& mode : results.modes) cell.seconds += mode.adapt_seconds + mode.evaluate_seconds;
  cell.status = RunStatus::finished;
}

std::size_t SweepResults::count(RunStatus status) const {
  return static_cast<std::size_t>(std::ranges::count(cells, status, &SweepCell::status));
}

std::size_t SweepResults::different() const {
  std::vector<std::string_view> ids;
  for (const SweepCell& cell : cells) ids.push_back(cell.id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids.size();
}

std::string values_text(const SweepResults& sweep, const SweepCell& cell) {
  std::string text;
  for (std::size_t i = 0; i < sweep.keys.size(); ++i) {
    const std::string key = sweep.keys[i].substr(sweep.keys[i].rfind('.') + 1);
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key, cell.values[i]);
  }
  return text;
}

Json sweep_json(const SweepResults& sweep) {
  Json keys = Json::array(), runs = Json::array();
  for (const std::string& key : sweep.keys) keys.push(key);
  for (const SweepCell& cell : sweep.cells) runs.push(run_json(sweep, cell));
  return Json::object(
      {{"schema", kResultsSchema}, {"name", sweep.name}, {"keys", std::move(keys)}, {"runs", std::move(runs)}});
}

std::string sweep_csv(const SweepResults& sweep) {
  std::string text = "run,folder";
  for (const std::string& key : sweep.keys) text += fmt::format(",{}", container::csv_field(key));
  text += ",mode,policy,metric,value,low,high,difference,difference_low,difference_high,test,p\n";
  for (const SweepCell& cell : sweep.cells)
    for (const ScoreRecord& s : scores_of(cell)) {
      text += fmt::format("{},{}", short_id(cell.id), cell.folder);
      for (const std::string& value : cell.values) text += fmt::format(",{}", container::csv_field(value));
      text += fmt::format(",{},{},{},{},{},{},{},{},{},{},{}\n", container::csv_field(s.mode), s.policy, s.metric,
                          number_text(s.value), number_text(s.low), number_text(s.high), number_text(s.difference),
                          number_text(s.difference_low), number_text(s.difference_high), s.test, number_text(s.p));
    }
  return text;
}

}  // namespace shiftnorm::results
