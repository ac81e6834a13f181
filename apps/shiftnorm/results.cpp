#include <fmt/format.h>

#include "commands.hpp"
#include "results_table.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/results/results_store.hpp"
#include "shiftnorm/results/run_query.hpp"

namespace shiftnorm::app {
namespace {

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

std::vector<std::string> names_of(const std::string& list) {
  std::vector<std::string> names = split(list, ',');
  std::erase(names, std::string());
  return names;
}

/// People read four digits; files keep all.
void shorten(results::ResultsTable& table) {
  for (auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      if (double value = 0; table.numeric[c] && !row[c].empty() && parse_whole(row[c], value))
        row[c] = fmt::format("{:.4g}", value);
}

results::RunQuery query_of(const Options& options) {
  results::RunQuery query;
  query.where = options.texts("where");
  query.metrics = names_of(options.text("metric"));
  query.modes = names_of(options.text("modes"));
  query.compare = options.text("compare");
  query.wide = options.has("wide");
  query.mean_by = names_of(options.text("mean-by"));
  query.sort = options.text("sort");
  return query;
}

ExitCode results(const Options& options, Console& console) {
  const TableFormat format = console.json() ? TableFormat::json : parse_table_format(options.text("format", "table"));
  const bool whole = format == TableFormat::csv || format == TableFormat::json;
  const results::ResultsStore store(options.text("store", "runs/runs.sqlite"), results::ResultsStore::Access::read);
  const std::vector<results::RunRecord> runs = store.all();
  results::RunQuery query = query_of(options);
  query.reasons = whole;
  results::ResultsTable table;
  try {
    table = results::table_of(runs, query);
  } catch (const ConfigError& e) {  // begins with the name of an option
    throw ConfigError(fmt::format("--{}", e.what()));
  }
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
