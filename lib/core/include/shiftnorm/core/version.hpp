#pragma once

#include <string_view>

namespace shiftnorm {

/// Of this library and its program, "0.1.0".
[[nodiscard]] std::string_view version();

}  // namespace shiftnorm
