#include "shiftnorm/container/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: RFC 4180.
namespace shiftnorm::container {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// The character that parts the fields of the first line; a line of one field has none, and any will do.
char separator_of(std::string_view text) {
  bool quoted = false;
  std::size_t commas = 0, semicolons = 0, tabs = 0;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') break;
    commas += c == ',' ? 1 : 0;
    semicolons += c == ';' ? 1 : 0;
    tabs += c == '\t' ? 1 : 0;
  }
  if (tabs > commas && tabs > semicolons) return '\t';
  return semicolons > commas ? ';' : ',';
}

/// Reads one record after the other.
class Records {
 public:
  Records(std::string_view text, char separator) : text_(text), separator_(separator) {}

  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  /// Calls field(text) for every field of the next record; false for an empty line.
  template <class Field>
  bool next(Field field) {
    const std::size_t start = at_;
    while (true) {
      field(take_field());
      if (more() && text_[at_] == separator_) {
        ++at_;
        continue;
      }
      const bool empty = at_ == start;
      end_line();
      return !empty;
    }
  }

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(fmt::format("line {}: {}", line_, what)); }

 private:
  std::string_view take_field() {
    std::size_t from = at_;
    while (from < text_.size() && text_[from] == ' ') ++from;
    if (from < text_.size() && text_[from] == '"') return take_quoted(from + 1);
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != separator_ && text_[end] != '\n' && text_[end] != '\r') ++end;
    const std::string_view field = text_.substr(at_, end - at_);
    at_ = end;
    return field;
  }

  std::string_view take_quoted(std::size_t from) {
    const std::size_t opened = line_;
    unquoted_.clear();
    for (at_ = from;; ++at_) {
      if (at_ >= text_.size())
        throw FormatError(fmt::format("line {}: a quote is opened and not closed; expected a second one", opened));
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      unquoted_ += text_[at_];
    }
    ++at_;
    while (more() && text_[at_] == ' ' && separator_ != ' ') ++at_;
    if (more() && text_[at_] != separator_ && text_[at_] != '\n' && text_[at_] != '\r')
      fail(fmt::format("'{}' after a quoted field; expected a separator", printable(text_.substr(at_, 10))));
    return unquoted_;
  }

  void end_line() {
    if (!more()) return;
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    ++at_;
    ++line_;
  }

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0, line_ = 1;
  std::string unquoted_;
};

void check_columns(const std::vector<std::string>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].empty()) throw FormatError(fmt::format("line 1: column {} has no name; expected one", i + 1));
    if (std::find(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i), columns[i]) !=
        columns.begin() + static_cast<std::ptrdiff_t>(i))
      throw FormatError(
          fmt::format("line 1: two columns are named '{}'; expected different names", printable(columns[i])));
  }
}

}  // namespace

std::string_view CsvTable::field(std::size_t row, std::size_t column) const {
  const std::size_t index = row * columns_.size() + column;
  const std::size_t begin = index == 0 ? 0 : ends_.at(index - 1);
  return std::string_view(text_).substr(begin, ends_.at(index) - begin);
}

std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

CsvTable parse_csv(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw UnsupportedError("is UTF-16 text; expected UTF-8 (\"CSV UTF-8\" in a spreadsheet's save dialogue)");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.find('\0') != std::string_view::npos) throw FormatError("holds a zero byte; expected text");
  CsvTable table;
  Records records(text, separator_of(text.substr(std::min(text.find_first_not_of("\r\n"), text.size()))));
  while (table.columns_.empty()) {
    if (!records.more()) throw FormatError("is empty; expected a first line of column names");
    if (!records.next([&](std::string_view name) { table.columns_.emplace_back(trimmed(name)); }))
      table.columns_.clear();
    if (table.columns_.size() > kMaxCsvColumns)
      throw FormatError(fmt::format("{} columns; expected at most {}", table.columns_.size(), kMaxCsvColumns));
  }
  check_columns(table.columns_);
  while (records.more()) {
    const std::size_t line = records.line(), before = table.ends_.size(), text_before = table.text_.size();
    const bool filled = records.next([&](std::string_view field) {
      table.text_ += trimmed(field);
      table.ends_.push_back(table.text_.size());
      if (table.ends_.size() > kMaxCsvFields)
        throw FormatError(fmt::format("more than {} fields; expected fewer", kMaxCsvFields));
    });
    const std::size_t found = table.ends_.size() - before;
    if (!filled) {
      table.ends_.resize(before);
      table.text_.resize(text_before);
    } else if (found != table.columns_.size()) {
      throw FormatError(
          fmt::format("line {}: {} fields; expected {}, as the first line has", line, found, table.columns_.size()));
    } else {
      table.lines_.push_back(line);
    }
  }
  return table;
}

}  // namespace shiftnorm::container
