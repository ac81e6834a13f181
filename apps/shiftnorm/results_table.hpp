#pragma once

#include <string>

#include "shiftnorm/results/run_query.hpp"

namespace shiftnorm::app {

using results::ResultsTable;

/// Cells are plain; each format escapes what it must.
enum class TableFormat { table, csv, json, latex, markdown };
/// Errors  ConfigError with the formats that there are.
[[nodiscard]] TableFormat parse_table_format(const std::string& name);
[[nodiscard]] std::string write_table(const ResultsTable& table, TableFormat format);

}  // namespace shiftnorm::app
