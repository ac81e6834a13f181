#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/container/csv.hpp"

namespace shiftnorm::imaging {

/// Whether a field says that nothing is known: empty, or as pandas and R write what is missing (NaN, NA, N/A, null).
[[nodiscard]] bool is_missing(std::string_view field);

/// "2" of "2.0", as pandas writes whole numbers of a column that has gaps; nothing for all that is no such number.
[[nodiscard]] std::optional<std::string> whole_number(std::string_view field);

/// The parts of "A|B" between separators, or of a list as Python writes it: "['A', 'B']", "[]", "('A',)", "{'A'}".
[[nodiscard]] std::vector<std::string> parts_of(std::string_view field, std::string_view separator);

/// What parts the values of a column if they look like several at once: "|", ";", or "," of Python's lists. Nothing
/// where less than two do.
[[nodiscard]] std::optional<std::string> separator_in(const container::CsvTable& csv, std::size_t column);

/// Of a table whose first line is not a line of names but begins with the name of a file, as ImageNet's val.txt does:
/// columns `path` and `label`, or `path` alone. Errors  FormatError for more columns.
[[nodiscard]] container::CsvForm form_of(std::string_view text);

}  // namespace shiftnorm::imaging
