#pragma once

#include <string>
#include <string_view>

namespace shiftnorm::report {

/// A whole page around `header` and `main`, which are HTML. The browser must load nothing and run only our script
/// only: a second lock behind the escaping. `title` and `version` are plain text.
[[nodiscard]] std::string document(std::string_view title, std::string_view header, std::string_view main,
                                   std::string_view version);

/// A heading with a line under it (HTML both); nothing at all where there is no content.
[[nodiscard]] std::string section(std::string_view title, std::string_view lead, const std::string& content);

/// A table inside a box that scrolls by itself, reachable with the keyboard. `style` names CSS classes of the table;
/// `caption` is plain text.
[[nodiscard]] std::string boxed_table(std::string_view style, std::string_view caption, std::string_view rows);

/// A heading of a column that sorts by its cells' data-v, or by text where `words`.
[[nodiscard]] std::string column(std::string_view title, bool descending_first, bool words = false);

/// A line of a table of two columns; nothing for an empty value.
[[nodiscard]] std::string fact(std::string_view name, const std::string& value, bool code = false);

}  // namespace shiftnorm::report
