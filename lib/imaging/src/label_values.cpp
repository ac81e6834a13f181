#include "label_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "folder_dataset.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

// pandas 2's default na_values without "None", which is a class in some data, and R's NA.
constexpr std::array<std::string_view, 17> kMissing{"",     "NaN",  "nan",  "-NaN",    "-nan",   "NAN",
                                                    "NA",   "N/A",  "n/a",  "<NA>",    "NaT",    "NULL",
                                                    "null", "Null", "#N/A", "1.#QNAN", "-1.#IND"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// What is between the brackets of a list as Python writes it.
std::optional<std::string_view> in_brackets(std::string_view field) {
  constexpr std::array<std::string_view, 3> kBrackets{"[]", "()", "{}"};
  for (const std::string_view pair : kBrackets)
    if (field.size() >= 2 && field.front() == pair[0] && field.back() == pair[1])
      return trimmed(field.substr(1, field.size() - 2));
  return std::nullopt;
}

void add_part(std::string_view text, std::vector<std::string>& parts) {
  const std::string part(trimmed(text));
  if (!part.empty() && std::ranges::find(parts, part) == parts.end()) parts.push_back(part);
}

/// Quoted items, with commas between them or, as NumPy prints arrays, blanks; or bare ones between commas.
std::vector<std::string> items_of(std::string_view inside) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < inside.size();) {
    if (is_blank(inside[at]) || inside[at] == ',') {
      ++at;
    } else if (const char quote = inside[at]; quote == '\'' || quote == '"') {
      const std::size_t end = std::min(inside.find(quote, at + 1), inside.size());
      add_part(inside.substr(at + 1, end - at - 1), parts);
      at = end + 1;
    } else {
      const std::size_t end = std::min(inside.find(',', at), inside.size());
      add_part(inside.substr(at, end - at), parts);
      at = end;
    }
  }
  return parts;
}

}  // namespace

bool is_missing(std::string_view field) { return std::ranges::find(kMissing, field) != kMissing.end(); }

std::optional<std::string> whole_number(std::string_view field) {
  const std::size_t point = std::min(field.find('.'), field.size());
  const std::string_view whole = field.substr(0, point);
  const bool plain = !whole.empty() && std::ranges::all_of(whole, is_digit) && (whole.size() == 1 || whole[0] != '0');
  const std::string_view rest = field.substr(std::min(point + 1, field.size()));
  if (!plain || !std::ranges::all_of(rest, [](char c) { return c == '0'; })) return std::nullopt;
  return std::string(whole);
}

std::vector<std::string> parts_of(std::string_view field, std::string_view separator) {
  if (const auto inside = in_brackets(field)) return items_of(*inside);
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= field.size();) {
    const std::size_t end = std::min(field.find(separator, begin), field.size());
    add_part(field.substr(begin, end - begin), parts);
    begin = end + separator.size();
  }
  return parts;
}

std::optional<std::string> separator_in(const container::CsvTable& csv, std::size_t column) {
  constexpr std::array<std::string_view, 3> kSeparators{"|", ";", ","};
  std::array<std::size_t, 3> rows{};
  for (std::size_t row = 0; row < csv.rows(); ++row) {
    const std::string_view field = csv.field(row, column);
    if (const auto inside = in_brackets(field)) {
      rows[2] += inside->empty() || inside->front() == '\'' || inside->front() == '"' ? 1 : 0;
      continue;
    }
    for (std::size_t i = 0; i < 2; ++i) rows[i] += parts_of(field, kSeparators[i]).size() > 1 ? 1 : 0;
  }
  const auto most = std::ranges::max_element(rows);
  if (*most < 2) return std::nullopt;
  return std::string(kSeparators[static_cast<std::size_t>(most - rows.begin())]);
}

container::CsvForm form_of(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of("\r\n"), text.size());
  const std::size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
  const std::string_view line = trimmed(text.substr(begin, end - begin));
  const std::size_t mark = line.find_first_of(",;\t");
  const std::size_t blank = line.find_last_of(" \t");
  const std::string_view first = line.substr(0, std::min(mark, line.size()));
  if (mark != std::string_view::npos && mark + 1 < line.size()) {
    if (!named_like_image(std::string(trimmed(first)))) return {};
    const auto marks = static_cast<std::size_t>(std::ranges::count(line, line[mark]));
    if (marks > 1)
      throw FormatError(
          fmt::format("line 1 begins with an image's name, not with column names; expected a first line "
                      "such as 'path,label' before the {} columns",
                      marks + 1));
    return {{"path", "label"}, false};
  }
  if (named_like_image(std::string(first))) return {{"path"}, false};
  if (blank != std::string_view::npos && named_like_image(std::string(trimmed(line.substr(0, blank)))))
    return {{"path", "label"}, true};
  const std::size_t early = line.find_first_of(" \t");
  if (early != std::string_view::npos && named_like_image(std::string(line.substr(0, early))))
    throw FormatError(
        "line 1 holds the name of an image and several values separated by blanks; "
        "expected a first line of column names, and commas, semicolons or tabs between the columns");
  return {};
}

}  // namespace shiftnorm::imaging
