#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::container {

/// A table of text: a first line of column names, then rows of as many fields. Nothing is turned into numbers.
class CsvTable {
 public:
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t rows() const noexcept { return lines_.size(); }
  [[nodiscard]] std::string_view field(std::size_t row, std::size_t column) const;  ///< without surrounding blanks
  [[nodiscard]] std::size_t line(std::size_t row) const { return lines_.at(row); }  ///< of the file, from 1
  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;

 private:
  friend CsvTable parse_csv(std::string_view text);
  std::vector<std::string> columns_;
  std::string text_;               ///< all fields, one after the other
  std::vector<std::size_t> ends_;  ///< of each field in text_
  std::vector<std::size_t> lines_;
};

/// What a table may hold.
inline constexpr std::size_t kMaxCsvColumns = 4096;
inline constexpr std::size_t kMaxCsvFields = 20'000'000;

/// CSV as RFC 4180 has it and as spreadsheets write it: fields between commas, semicolons or tabs (told from the first
/// line), quoted ones with doubled quotes and line breaks inside, lines ended by LF, CRLF or CR, with a byte order mark
/// or without; empty lines are left out.
/// Errors  FormatError `line N: found; expected`: a quote that is not closed or has text behind it, rows of another
///         length, column names that are empty or given twice, zero bytes, more than the limits; UnsupportedError for
///         UTF-16.
[[nodiscard]] CsvTable parse_csv(std::string_view text);

}  // namespace shiftnorm::container
