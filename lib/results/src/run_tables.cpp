#include "run_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::results {
namespace {

std::string text_of(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : std::string(); }

struct RunField {
  std::string_view name;
  std::string (*of)(const RunRecord&);
};
constexpr RunField kRunFields[] = {
    {"run", [](const RunRecord& r) { return short_id(r.id); }},
    {"name", [](const RunRecord& r) { return r.name; }},
    {"sweep", [](const RunRecord& r) { return r.sweep; }},
    {"folder", [](const RunRecord& r) { return r.folder; }},
    {"finished", [](const RunRecord& r) { return r.finished; }},
    {"protocol", [](const RunRecord& r) { return r.protocol; }},
    {"model", [](const RunRecord& r) { return r.model_file; }},
    {"fingerprint", [](const RunRecord& r) { return r.fingerprint; }},
    {"program_version", [](const RunRecord& r) { return r.program_version; }},
    {"images", [](const RunRecord& r) { return std::to_string(r.images); }},
    {"id", [](const RunRecord& r) { return r.id; }},
};

/// The value of a setting; of a map of settings, such as data.target.shift, the names in it.
std::string setting_or_names(const RunRecord& run, const std::string& key) {
  if (const auto value = property(run, key)) return *value;
  const std::string inside = key + ".";
  std::vector<std::string> names;
  for (const auto& [path, value] : run.settings)
    if (path.starts_with(inside)) {
      const std::string name = path.substr(inside.size(), path.find('.', inside.size()) - inside.size());
      if (names.empty() || names.back() != name) names.push_back(name);
    }
  return names.empty() ? "none" : join(names);
}

double number_of(const std::string& cell) {
  try {
    return std::stod(cell);
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

std::vector<std::string> run_fields() {
  std::vector<std::string> names;
  for (const RunField& field : kRunFields) names.emplace_back(field.name);
  return names;
}

std::optional<std::string> property(const RunRecord& run, std::string_view key) {
  for (const RunField& field : kRunFields)
    if (field.name == key) return field.of(run);
  for (const auto& [name, value] : run.settings)
    if (name == key) return value;
  return std::nullopt;
}

std::vector<std::string> differing(const std::vector<RunRecord>& runs) {
  std::map<std::string, std::set<std::string>> values;
  std::map<std::string, std::size_t> count;
  for (const RunRecord& run : runs)
    for (const auto& [key, value] : run.settings) {
      values[key].insert(value);
      ++count[key];
    }
  std::vector<std::string> keys;
  for (const auto& [key, seen] : values)
    if (key != "name" && !key.starts_with("modes.") && (seen.size() > 1 || count[key] < runs.size()))
      keys.push_back(key);
  return keys;
}

ResultsTable score_table(const std::vector<ScoreRow>& rows, const std::vector<std::string>& settings,
                         const RunQuery& query) {
  const std::string& compared = query.compare;
  ResultsTable table;
  const auto column = [&](const std::string& name, bool numeric) {
    table.columns.push_back(name);
    table.numeric.push_back(numeric);
  };
  column("run", false);
  column("name", false);
  for (const std::string& key : settings) column(key, false);
  for (const char* name : {"mode", "metric"}) column(name, false);
  for (const char* name : {"value", "low", "high"}) column(name, true);
  column(compared.empty() ? "versus_source" : fmt::format("versus {}", compared), true);
  if (compared.empty()) column("p", true);
  if (query.reasons) column("reason", false);
  for (const ScoreRow& row : rows) {
    std::vector<std::string> cells{short_id(row.run->id), row.run->name};
    for (const std::string& key : settings) cells.push_back(property(*row.run, key).value_or(""));
    const ScoreRecord& s = *row.score;
    for (const std::string& cell : {s.mode, s.metric, text_of(s.value), text_of(s.low), text_of(s.high)})
      cells.push_back(cell);
    cells.push_back(text_of(compared.empty() ? s.difference : row.difference));
    if (compared.empty()) cells.push_back(text_of(s.p));
    if (query.reasons) cells.push_back(s.reason);
    table.rows.push_back(std::move(cells));
  }
  return table;
}

ResultsTable wide_table(const std::vector<ScoreRow>& rows, const std::vector<std::string>& settings,
                        const RunQuery& query) {
  ResultsTable table{{"run", "name"}, {}, {false, false}};
  std::vector<std::string> modes;
  for (const ScoreRow& row : rows)
    if (std::ranges::find(modes, row.score->mode) == modes.end()) modes.push_back(row.score->mode);
  for (const std::string& key : settings) table.columns.push_back(key);
  table.columns.emplace_back("metric");
  table.numeric.resize(table.columns.size(), false);
  for (const std::string& mode : modes) table.columns.push_back(mode);
  table.numeric.resize(table.columns.size(), true);
  std::map<std::pair<const RunRecord*, std::string>, std::size_t> place;
  for (const ScoreRow& row : rows) {
    const auto [at, fresh] = place.emplace(std::pair(row.run, row.score->metric), table.rows.size());
    if (fresh) {
      std::vector<std::string> cells{short_id(row.run->id), row.run->name};
      for (const std::string& key : settings) cells.push_back(property(*row.run, key).value_or(""));
      cells.push_back(row.score->metric);
      cells.resize(table.columns.size());
      table.rows.push_back(std::move(cells));
    }
    const auto mode = static_cast<std::size_t>(std::ranges::find(modes, row.score->mode) - modes.begin());
    table.rows[at->second][table.columns.size() - modes.size() + mode] =
        text_of(query.compare.empty() ? row.score->value : row.difference);
  }
  return table;
}

ResultsTable mean_table(const std::vector<ScoreRow>& rows, const RunQuery& query) {
  const std::vector<std::string>& keys = query.mean_by;
  struct Group {
    std::vector<std::string> cells;
    std::set<const RunRecord*> runs;
    std::map<std::string, std::pair<double, std::size_t>> modes;  ///< sum, count
  };
  ResultsTable table{keys, {}, std::vector<bool>(keys.size(), false)};
  std::vector<std::string> modes;
  std::vector<Group> groups;
  std::map<std::vector<std::string>, std::size_t> place;
  for (const ScoreRow& row : rows) {
    std::vector<std::string> cells;
    cells.reserve(keys.size() + 1);
    for (const std::string& key : keys) cells.push_back(setting_or_names(*row.run, key));
    cells.push_back(row.score->metric);
    const auto [at, fresh] = place.emplace(cells, groups.size());
    if (fresh) groups.push_back({cells, {}, {}});
    Group& group = groups[at->second];
    group.runs.insert(row.run);
    if (std::ranges::find(modes, row.score->mode) == modes.end()) modes.push_back(row.score->mode);
    const std::optional<double>& value = query.compare.empty() ? row.score->value : row.difference;
    if (!value) continue;
    auto& [sum, count] = group.modes[row.score->mode];
    sum += *value;
    ++count;
  }
  table.columns.emplace_back("metric");
  table.numeric.push_back(false);
  table.columns.emplace_back("runs");
  table.columns.insert(table.columns.end(), modes.begin(), modes.end());
  table.numeric.resize(table.columns.size(), true);
  for (Group& group : groups) {
    group.cells.push_back(std::to_string(group.runs.size()));
    for (const std::string& mode : modes) {
      const auto [sum, count] = group.modes[mode];
      group.cells.push_back(count == group.runs.size() ? fmt::format("{}", sum / static_cast<double>(count)) : "");
    }
    table.rows.push_back(std::move(group.cells));
  }
  return table;
}

void sort_by(ResultsTable& table, const std::string& column, bool down) {
  const auto c = static_cast<std::size_t>(std::ranges::find(table.columns, column) - table.columns.begin());
  const auto whole = [](const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("0123456789.eE+-") == std::string::npos;
  };
  const bool numbers =
      std::ranges::all_of(table.rows, [&](const auto& row) { return row[c].empty() || whole(row[c]); });
  std::ranges::stable_sort(table.rows, [&](const auto& a, const auto& b) {
    if (a[c].empty() || b[c].empty()) return !a[c].empty() && b[c].empty();  // what is missing comes last
    if (numbers) return down ? number_of(a[c]) > number_of(b[c]) : number_of(a[c]) < number_of(b[c]);
    return down ? a[c] > b[c] : a[c] < b[c];
  });
}

}  // namespace shiftnorm::results
