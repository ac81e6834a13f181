#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::container {

/// What a text does not say of itself.
struct CsvForm {
  std::vector<std::string> names{};  ///< of the columns, where the first line is a row already
  bool pairs = false;                ///< a row is two unquoted fields, parted by the last blanks of the line
};

/// A table of text: rows of fields under the names of their columns. Nothing is turned into numbers.
class CsvTable {
 public:
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t rows() const noexcept { return lines_.size(); }
  [[nodiscard]] std::string_view field(std::size_t row, std::size_t column) const;  ///< without surrounding blanks
  [[nodiscard]] std::size_t line(std::size_t row) const { return lines_.at(row); }  ///< of the file, from 1
  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;

 private:
  friend CsvTable parse_csv(std::string_view text, const CsvForm& form);
  std::vector<std::string> columns_;
  std::string text_;               ///< all fields, one after the other
  std::vector<std::size_t> ends_;  ///< of each field in text_
  std::vector<std::size_t> lines_;
};

/// What a table may hold.
inline constexpr std::size_t kMaxCsvColumns = 4096;
inline constexpr std::size_t kMaxCsvFields = 20'000'000;

/// CSV as RFC 4180 has it and as spreadsheets write it: fields between commas, semicolons or tabs (inferred from the
/// first line, or by a line `sep=;` before it), quoted ones with doubled quotes and line breaks inside, lines ended by
/// LF, CRLF or CR, UTF-8 with a byte order mark or without, or UTF-16 with one. Empty lines are left out, as are
/// columns without a name and empty fields behind the last column. Errors  FormatError `line N: found; expected`: a
/// quote that is not closed or has text behind it, rows of another
///         length, column names given twice, zero bytes, more than the limits.
[[nodiscard]] CsvTable parse_csv(std::string_view text, const CsvForm& form = {});

enum class CsvQuotes { where_needed, always };

/// A field of a table that is written, with quotes as RFC 4180 has them. An apostrophe before it keeps spreadsheets
/// from taking what comes from a file for a formula (OWASP, CSV injection); numbers are none.
[[nodiscard]] std::string csv_field(std::string_view text, CsvQuotes quotes = CsvQuotes::where_needed);

/// The text as UTF-8 without a byte order mark. Errors  FormatError for UTF-16 that is none.
[[nodiscard]] std::string utf8_text(std::string_view bytes);

}  // namespace shiftnorm::container
