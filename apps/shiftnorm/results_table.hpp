#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::app {

/// A table of text on its way to stdout. Cells are plain; each format escapes what it must.
struct ResultsTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< as many cells as columns
  std::vector<bool> numeric;                   ///< per column: aligned right, numbers in JSON; an empty cell is null
};

enum class TableFormat { table, csv, json, latex, markdown };
/// Errors  ConfigError with the formats that there are.
[[nodiscard]] TableFormat parse_table_format(const std::string& name);
[[nodiscard]] std::string write_table(const ResultsTable& table, TableFormat format);

}  // namespace shiftnorm::app
