#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "commands.hpp"
#include "results_table.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/results_store.hpp"

namespace shiftnorm::app {
namespace {

using results::RunRecord, results::ScoreRecord;

constexpr OptionSpec kResults[] = {
    {"store", "FILE", "the store (default: runs/runs.sqlite)"},
    {"where", "KEY=VALUE", "only runs with this setting, e.g. seed=3 or data.target.shift.fog=5; may be repeated",
     true},
    {"metric", "NAMES", "only these metrics, separated by commas"},
    {"modes", "NAMES", "only these modes, separated by commas"},
    {"compare", "MODE|RUN", "differences to a mode of the same run, or to the same mode of a run (name or id)"},
    {"sort", "KEY", "order by a column; -KEY: descending (default: oldest run first)"},
    {"wide", "", "one row per run and metric, a column for each mode"},
    {"mean-by", "KEYS", "means over the runs that agree in these settings, e.g. model.architecture,data.target.shift"},
    {"format", "FORMAT", "table, csv, json, latex or markdown (default: table)"},
};

constexpr std::size_t kShortId = 12;

/// One row: a score with its run, and what it is compared with.
struct Row {
  const RunRecord* run = nullptr;
  const ScoreRecord* score = nullptr;
  std::optional<double> difference;
};

std::vector<std::string> names_of(const std::string& list) {
  std::vector<std::string> names = split(list, ',');
  std::erase(names, std::string());
  return names;
}

std::string text_of(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : std::string(); }

/// What a run is known by beside its settings.
struct RunField {
  std::string_view name;
  std::string (*of)(const RunRecord&);
};
constexpr RunField kRunFields[] = {
    {"run", [](const RunRecord& r) { return r.id.substr(0, kShortId); }},
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

std::optional<std::string> property(const RunRecord& run, std::string_view key) {
  for (const RunField& field : kRunFields)
    if (field.name == key) return field.of(run);
  for (const auto& [name, value] : run.settings)
    if (name == key) return value;
  return std::nullopt;
}

void check_known(std::string_view option, const std::string& key, const std::set<std::string>& known) {
  if (known.contains(key)) return;
  const std::vector<std::string> names(known.begin(), known.end());
  const std::string near = nearest(key, names);
  throw ConfigError(fmt::format("--{} {}: is not in any of the runs{}", option, printable(key),
                                near.empty() ? fmt::format("; expected one of {}", printable(join(names), 400))
                                             : fmt::format("; nearest is '{}'", near)));
}

void keep_where(std::vector<RunRecord>& runs, const std::vector<std::string>& conditions) {
  std::set<std::string> known;
  for (const RunField& field : kRunFields) known.emplace(field.name);
  for (const RunRecord& run : runs)
    for (const auto& [key, value] : run.settings) known.insert(key);
  for (const std::string& condition : conditions) {
    const std::size_t equals = condition.find('=');
    if (equals == std::string::npos || equals == 0)
      throw ConfigError(fmt::format("--where = {}; expected KEY=VALUE", printable(condition)));
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
      throw ConfigError(fmt::format("--compare = {}: names several runs; expected one id", printable(name)));
    found = &run;
  }
  if (found == nullptr)
    throw ConfigError(fmt::format("--compare = {}: is neither a mode nor a run of the store", printable(name)));
  return *found;
}

const ScoreRecord* score_of(const RunRecord& run, const std::string& mode, const std::string& metric) {
  for (const ScoreRecord& score : run.scores)
    if (score.mode == mode && score.metric == metric) return &score;
  return nullptr;
}

/// Settings in which the runs differ: the columns that tell them apart.
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

ResultsTable table_of(const std::vector<Row>& rows, const std::vector<std::string>& settings,
                      const std::string& compared, bool reasons) {
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
  if (reasons) column("reason", false);
  for (const Row& row : rows) {
    std::vector<std::string> cells{row.run->id.substr(0, kShortId), row.run->name};
    for (const std::string& key : settings) cells.push_back(property(*row.run, key).value_or(""));
    const ScoreRecord& s = *row.score;
    for (const std::string& cell : {s.mode, s.metric, text_of(s.value), text_of(s.low), text_of(s.high)})
      cells.push_back(cell);
    cells.push_back(text_of(compared.empty() ? s.difference : row.difference));
    if (compared.empty()) cells.push_back(text_of(s.p));
    if (reasons) cells.push_back(s.reason);
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// A row per run and metric, a column for each mode; with a comparison its differences.
ResultsTable wide_table(const std::vector<Row>& rows, const std::vector<std::string>& settings,
                        const std::string& compared) {
  ResultsTable table{{"run", "name"}, {}, {false, false}};
  std::vector<std::string> modes;
  for (const Row& row : rows)
    if (std::ranges::find(modes, row.score->mode) == modes.end()) modes.push_back(row.score->mode);
  for (const std::string& key : settings) table.columns.push_back(key);
  table.columns.emplace_back("metric");
  table.numeric.resize(table.columns.size(), false);
  for (const std::string& mode : modes) table.columns.push_back(mode);
  table.numeric.resize(table.columns.size(), true);
  std::map<std::pair<const RunRecord*, std::string>, std::size_t> place;
  for (const Row& row : rows) {
    const auto [at, fresh] = place.emplace(std::pair(row.run, row.score->metric), table.rows.size());
    if (fresh) {
      std::vector<std::string> cells{row.run->id.substr(0, kShortId), row.run->name};
      for (const std::string& key : settings) cells.push_back(property(*row.run, key).value_or(""));
      cells.push_back(row.score->metric);
      cells.resize(table.columns.size());
      table.rows.push_back(std::move(cells));
    }
    const auto mode = static_cast<std::size_t>(std::ranges::find(modes, row.score->mode) - modes.begin());
    table.rows[at->second][table.columns.size() - modes.size() + mode] =
        text_of(compared.empty() ? row.score->value : row.difference);
  }
  return table;
}

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

/// Keys of settings and of the maps that they are in.
std::set<std::string> groupable(const std::vector<RunRecord>& runs) {
  std::set<std::string> known;
  for (const RunField& field : kRunFields) known.emplace(field.name);
  for (const RunRecord& run : runs)
    for (const auto& [key, value] : run.settings)
      for (std::size_t end = 0; end != std::string::npos;) {
        end = key.find('.', end + 1);
        known.insert(key.substr(0, end));
      }
  return known;
}

/// A row per value of the keys and metric, a column for each mode. A mode that some of the runs lack has no mean: it
/// would be one over other runs than its neighbours'.
ResultsTable mean_table(const std::vector<Row>& rows, const std::vector<std::string>& keys,
                        const std::string& compared) {
  struct Group {
    std::vector<std::string> cells;
    std::set<const RunRecord*> runs;
    std::map<std::string, std::pair<double, std::size_t>> modes;  ///< sum, count
  };
  ResultsTable table{keys, {}, std::vector<bool>(keys.size(), false)};
  std::vector<std::string> modes;
  std::vector<Group> groups;
  std::map<std::vector<std::string>, std::size_t> place;
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    for (const std::string& key : keys) cells.push_back(setting_or_names(*row.run, key));
    cells.push_back(row.score->metric);
    const auto [at, fresh] = place.emplace(cells, groups.size());
    if (fresh) groups.push_back({cells, {}, {}});
    Group& group = groups[at->second];
    group.runs.insert(row.run);
    if (std::ranges::find(modes, row.score->mode) == modes.end()) modes.push_back(row.score->mode);
    const std::optional<double>& value = compared.empty() ? row.score->value : row.difference;
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

double number_of(const std::string& cell) {
  try {
    return std::stod(cell);
  } catch (const std::exception&) {
    return 0;
  }
}

void sort_by(ResultsTable& table, std::string key) {
  const bool down = key.starts_with('-');
  if (down) key.erase(0, 1);
  check_known("sort", key, {table.columns.begin(), table.columns.end()});
  const auto c = static_cast<std::size_t>(std::ranges::find(table.columns, key) - table.columns.begin());
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

/// People read four digits; files keep all.
void shorten(ResultsTable& table) {
  for (auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      if (table.numeric[c] && !row[c].empty()) row[c] = fmt::format("{:.4g}", number_of(row[c]));
}

ExitCode results(const Options& options, Console& console) {
  const TableFormat format = console.json() ? TableFormat::json : parse_table_format(options.text("format", "table"));
  const results::ResultsStore store(options.text("store", "runs/runs.sqlite"), results::ResultsStore::Access::read);
  const std::vector<RunRecord> all = store.all();
  std::vector<RunRecord> runs = all;
  keep_where(runs, options.texts("where"));
  const std::vector<std::string> metrics = names_of(options.text("metric")), modes = names_of(options.text("modes"));
  std::set<std::string> known_metrics, known_modes;
  for (const RunRecord& run : all)
    for (const ScoreRecord& score : run.scores) {
      known_metrics.insert(score.metric);
      known_modes.insert(score.mode);
    }
  for (const std::string& metric : metrics) check_known("metric", metric, known_metrics);
  for (const std::string& mode : modes) check_known("modes", mode, known_modes);
  const std::string compared = options.text("compare");
  const bool by_mode = known_modes.contains(compared);
  const RunRecord* other = compared.empty() || by_mode ? nullptr : &run_named(all, compared);

  const auto wanted = [](const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::ranges::find(names, name) != names.end();
  };
  std::vector<Row> rows;
  for (const RunRecord& run : runs)
    for (const ScoreRecord& score : run.scores) {
      if (!wanted(metrics, score.metric) || !wanted(modes, score.mode)) continue;
      Row row{&run, &score, std::nullopt};
      if (!compared.empty()) {
        const ScoreRecord* base =
            score_of(other != nullptr ? *other : run, by_mode ? compared : score.mode, score.metric);
        if (base != nullptr && base->value && score.value) row.difference = *score.value - *base->value;
      }
      rows.push_back(row);
    }
  const std::vector<std::string> settings = differing(runs), means = names_of(options.text("mean-by"));
  for (const std::string& key : means) check_known("mean-by", key, groupable(all));
  const bool whole = format == TableFormat::csv || format == TableFormat::json;
  ResultsTable table = !means.empty()        ? mean_table(rows, means, compared)
                       : options.has("wide") ? wide_table(rows, settings, compared)
                                             : table_of(rows, settings, compared, whole);
  if (options.has("sort")) sort_by(table, options.text("sort"));
  if (!whole) shorten(table);
  write_stdout(write_table(table, format));
  return ExitCode::done;
}

}  // namespace

Command results_command() {
  return {
      {"results",
       "shiftnorm results [--where KEY=VALUE]... [--metric NAMES] [--modes NAMES] [--compare MODE|RUN] [--sort KEY] "
       "[--wide] [--mean-by KEYS] [--format FORMAT] [--store FILE]",
       "Lists, compares and exports finished runs from the store.",
       "",
       false,
       {kResults},
       {}},
      results};
}

}  // namespace shiftnorm::app
