#pragma once

#include <string_view>

namespace shiftnorm {

/// Whether a whole text fits a shell-like pattern: * stands for any run of characters, ? for any one.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace shiftnorm
