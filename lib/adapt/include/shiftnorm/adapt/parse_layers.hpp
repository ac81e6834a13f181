#pragma once

#include <string>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::adapt {

/// Comma-separated patterns (`layer1.*`), `!pattern` to leave out, `first=N`, `last=N`, `min_level=N`, `max_level=N`.
/// Errors  ConfigError naming the part.
[[nodiscard]] LayerRule parse_layers(const std::string& text);

}  // namespace shiftnorm::adapt
