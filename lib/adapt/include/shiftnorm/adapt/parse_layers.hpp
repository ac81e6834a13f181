#pragma once

#include <string>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::adapt {

/// What is separated by commas: patterns such as layer1.*, with ! before those to leave out, and first=N, last=N,
/// min_level=N, max_level=N.
/// Errors  ConfigError naming the part.
[[nodiscard]] LayerRule parse_layers(const std::string& text);

}  // namespace shiftnorm::adapt
