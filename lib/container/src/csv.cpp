#include "shiftnorm/container/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

// Source: RFC 4180.
namespace shiftnorm::container {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool ends_line(char c) { return c == '\n' || c == '\r'; }

/// Spreadsheets' first line `sep=;`, in quotes or not: the separator, and the line taken off the text.
std::optional<char> take_separator_line(std::string_view& text) {
  for (const std::string_view open : {"\"sep=", "sep="}) {
    if (!text.starts_with(open) || text.size() < open.size() + 1) continue;
    const char separator = text[open.size()];
    std::size_t end = open.size() + 1;
    if (open[0] == '"' && end < text.size() && text[end] == '"') ++end;
    // It may be a column's name after all.
    if (ends_line(separator) || separator == '"' || (end < text.size() && !ends_line(text[end]))) continue;
    if (text.substr(end).starts_with("\r\n")) ++end;
    text.remove_prefix(std::min(end + 1, text.size()));
    return separator;
  }
  return std::nullopt;
}

/// The character that parts the fields of the first line; a line of one field has none, and any will do.
char separator_of(std::string_view text) {
  bool quoted = false;
  std::size_t commas = 0, semicolons = 0, tabs = 0;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (ends_line(c)) break;
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
  Records(std::string_view text, char separator, bool pairs, std::size_t line)
      : text_(text), separator_(separator), pairs_(pairs), line_(line) {}

  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  /// Calls field(text) for every field of the next record; false for an empty line.
  template <class Field>
  bool next(Field field) {
    const std::size_t start = at_;
    if (pairs_) return next_pair(field);
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
  template <class Field>
  bool next_pair(Field field) {
    const std::size_t start = at_;
    while (more() && !ends_line(text_[at_])) ++at_;
    const std::string_view line = trimmed(text_.substr(start, at_ - start));
    end_line();
    if (line.empty()) return false;
    const std::size_t blank = line.find_last_of(" \t");
    field(line.substr(0, blank));
    if (blank != std::string_view::npos) field(line.substr(blank + 1));
    return true;
  }

  std::string_view take_field() {
    std::size_t from = at_;
    while (from < text_.size() && text_[from] == ' ') ++from;
    if (from < text_.size() && text_[from] == '"') return take_quoted(from + 1);
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != separator_ && !ends_line(text_[end])) ++end;
    const std::string_view field = text_.substr(at_, end - at_);
    at_ = end;
    return field;
  }

  std::string_view take_quoted(std::size_t from) {
    const std::size_t opened = line_;
    unquoted_.clear();
    for (at_ = from;; ++at_) {
      if (at_ >= text_.size())
        throw FormatError(fmt::format("line {}: an opening quote is never closed; expected a closing one", opened));
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        ++at_;
      }
      unquoted_ += text_[at_];
    }
    ++at_;
    while (more() && text_[at_] == ' ' && separator_ != ' ') ++at_;
    if (more() && text_[at_] != separator_ && !ends_line(text_[at_]))
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
  bool pairs_;
  std::size_t at_ = 0, line_;
  std::string unquoted_;
};

/// Where the fields of a row go; columns without a name are left out.
struct Header {
  std::size_t fields = 0;     ///< named or not
  std::vector<bool> named{};  ///< of each
  std::size_t least = 0;      ///< fields up to the last that is named

  void add(std::string_view name) {
    named.push_back(!name.empty());
    ++fields;
    if (named.back()) least = fields;
  }
};

void check_columns(const std::vector<std::string>& columns) {
  std::set<std::string_view> seen;
  for (const std::string& name : columns)
    if (!seen.insert(name).second)
      throw FormatError(fmt::format("line 1: two columns are named '{}'; expected different names", printable(name)));
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

CsvTable parse_csv(std::string_view bytes, const CsvForm& form) {
  const std::string whole = utf8_text(bytes);
  std::string_view text = whole;
  if (text.find('\0') != std::string_view::npos) throw FormatError("holds a zero byte; expected text");
  const std::optional<char> told = take_separator_line(text);
  const char separator =
      told ? *told : separator_of(text.substr(std::min(text.find_first_not_of("\r\n"), text.size())));
  CsvTable table;
  Header header;
  Records records(text, separator, form.pairs, told ? 2 : 1);
  const auto take_name = [&](std::string_view field) {
    const std::string_view name = trimmed(field);
    header.add(name);
    if (header.fields > kMaxCsvColumns)
      throw FormatError(fmt::format("more than {} columns; expected at most that many", kMaxCsvColumns));
    if (!name.empty()) table.columns_.emplace_back(name);
  };
  for (const std::string& name : form.names) take_name(name);
  while (header.least == 0) {
    if (!records.more()) throw FormatError("is empty; expected a first line of column names");
    header = {};
    records.next(take_name);
  }
  check_columns(table.columns_);
  while (records.more()) {
    const std::size_t line = records.line(), before = table.ends_.size(), text_before = table.text_.size();
    std::size_t found = 0, filled_fields = 0;
    const bool filled = records.next([&](std::string_view field) {
      const std::string_view value = trimmed(field);
      const std::size_t at = found++;
      if (!value.empty()) filled_fields = found;
      if (at >= header.fields || !header.named[at]) return;
      table.text_ += value;
      table.ends_.push_back(table.text_.size());
      if (table.ends_.size() > kMaxCsvFields)
        throw FormatError(fmt::format("more than {} fields; expected fewer", kMaxCsvFields));
    });
    if (!filled) {
      table.ends_.resize(before);
      table.text_.resize(text_before);
    } else if (found < header.least || filled_fields > header.fields) {
      throw FormatError(fmt::format("line {}: {} fields; expected {}, as the first line has", line,
                                    std::max(filled_fields, found < header.least ? found : 0), header.fields));
    } else {
      table.lines_.push_back(line);
    }
  }
  return table;
}

std::string csv_field(std::string_view text, CsvQuotes quotes) {
  double number = 0;  // "-0.5" is one, and no formula
  const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos &&
                       !parse_whole(text, number);
  const bool needed = formula || text.find_first_of(",;\"\r\n") != std::string_view::npos;
  if (!needed && quotes == CsvQuotes::where_needed) return std::string(text);
  std::string out = formula ? "\"'" : "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace shiftnorm::container
