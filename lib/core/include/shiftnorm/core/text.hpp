#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// The candidate with the smallest edit distance (Levenshtein) to `word`, or empty if none is near
/// (distance above a third of the longer word's length, at least 2): what an error suggests.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b, c"; with more than `most` items "a, b and 7 more".
[[nodiscard]] std::string join(std::span<const std::string> items, std::size_t most = 12);

/// Text from a file, safe to print: control characters and invalid UTF-8 become '?'; after `most` bytes "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 120);

[[nodiscard]] std::string lower_case(std::string text);  ///< A to Z alone

}  // namespace shiftnorm
