#include "results_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;

std::string plain_table(const ResultsTable& table) {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    std::size_t width = table.columns[c].size();
    for (const auto& row : table.rows) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t c = 0; c < cells.size(); ++c)
      out += table.numeric[c] ? fmt::format("{}{:>{}}", c == 0 ? "" : "  ", printable(cells[c], 200), widths[c])
                              : fmt::format("{}{:<{}}", c == 0 ? "" : "  ", printable(cells[c], 200), widths[c]);
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  line(table.columns);
  for (const auto& row : table.rows) line(row);
  return text;
}

std::string csv(const ResultsTable& table) {
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += ',';
      text += container::csv_field(cells[c]);
    }
    text += "\n";
  };
  line(table.columns);
  for (const auto& row : table.rows) line(row);
  return text;
}

Json json_cell(const std::string& cell, bool numeric) {
  if (!numeric) return cell;
  double value = 0;
  return parse_whole(cell, value) ? Json(value) : Json();
}

std::string json(const ResultsTable& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json one = Json::object();
    for (std::size_t c = 0; c < row.size(); ++c) one.set(table.columns[c], json_cell(row[c], table.numeric[c]));
    rows.push(std::move(one));
  }
  return container::write_json(Json::object({{"schema", 1}, {"rows", std::move(rows)}}), 2) + "\n";
}

std::string escaped(const std::string& text, std::string_view special, std::string_view before) {
  std::string out;
  for (const char letter : printable(text, 500)) {
    if (special.find(letter) != std::string_view::npos) out += before;
    out += letter;
  }
  return out;
}

std::string latex(const ResultsTable& table) {
  std::string text = "\\begin{tabular}{";
  for (const bool numeric : table.numeric) text += numeric ? 'r' : 'l';
  text += "}\n\\hline\n";
  const auto line = [&](const std::vector<std::string>& cells) {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      std::string cell;  // three characters have no escape of one backslash
      for (const char letter : cells[c]) {
        if (letter == '\\')
          cell += "\\textbackslash{}";
        else if (letter == '~')
          cell += "\\textasciitilde{}";
        else if (letter == '^')
          cell += "\\textasciicircum{}";
        else
          cell += escaped(std::string(1, letter), "&%$#_{}", "\\");
      }
      text += fmt::format("{}{}", c == 0 ? "" : " & ", cell);
    }
    text += " \\\\\n";
  };
  line(table.columns);
  text += "\\hline\n";
  for (const auto& row : table.rows) line(row);
  return text + "\\hline\n\\end{tabular}\n";
}

std::string markdown(const ResultsTable& table) {
  std::string text = "|";
  for (const std::string& column : table.columns) text += fmt::format(" {} |", escaped(column, "|\\`*_<[", "\\"));
  text += "\n|";
  for (const bool numeric : table.numeric) text += numeric ? "---:|" : "---|";
  text += "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const std::string& cell : row) text += fmt::format(" {} |", escaped(cell, "|\\`*_<[", "\\"));
    text += "\n";
  }
  return text;
}

struct Format {
  std::string_view name;
  TableFormat value;
  std::string (*write)(const ResultsTable&);
};
constexpr auto kFormats = names<Format>("format", {{"table", TableFormat::table, plain_table},
                                                   {"csv", TableFormat::csv, csv},
                                                   {"json", TableFormat::json, json},
                                                   {"latex", TableFormat::latex, latex},
                                                   {"markdown", TableFormat::markdown, markdown}});

}  // namespace

TableFormat parse_table_format(const std::string& name) {
  const Format* known = kFormats.find(name);
  if (known == nullptr)
    throw ConfigError(not_among(fmt::format("--format = {}", printable(name)), name, kFormats.list()));
  return known->value;
}

std::string write_table(const ResultsTable& table, TableFormat format) { return kFormats[format].write(table); }

}  // namespace shiftnorm::app
