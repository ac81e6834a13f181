#pragma once

#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/graph/batch_norms.hpp"

namespace shiftnorm::adapt {

/// Which layers a rule takes, in graph order. `layers` carry the levels they have when all are measured.
/// Errors  ConfigError for a pattern that matches no layer.
[[nodiscard]] std::vector<bool> chosen(const LayerRule& rule, const std::vector<graph::BatchNorm>& layers);

}  // namespace shiftnorm::adapt
