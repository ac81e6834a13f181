#pragma once

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/results/mode_facts.hpp"

namespace shiftnorm::toolkit {

/// What results keep of a mode: of its settings those that mattered.
[[nodiscard]] results::ModeFacts facts_of(const adapt::Mode& mode);

}  // namespace shiftnorm::toolkit
