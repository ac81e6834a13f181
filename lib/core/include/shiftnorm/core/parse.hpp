#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// Whether all of a text is one number of the type; else `value` may hold anything.
template <class T>
[[nodiscard]] bool parse_whole(std::string_view text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return !text.empty() && error == std::errc{} && stop == end;
}

/// The parts between separators, empty ones too: "a,,b" has three, and an empty text one.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

}  // namespace shiftnorm
