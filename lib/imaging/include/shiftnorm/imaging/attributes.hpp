#pragma once

#include <string>
#include <string_view>

namespace shiftnorm::imaging {

/// A value of column or attribute `key` as domains and subgroups compare it: ends trimmed, blanks inside made one,
/// ASCII letters lower case; none is `unknown`; KVP is rounded.
[[nodiscard]] std::string comparable_value(std::string_view key, std::string_view value);

/// Whether a column's values may name a place, a person, a date or a device rather than a kind of image.
[[nodiscard]] bool names_site(std::string_view column);

}  // namespace shiftnorm::imaging
