#pragma once

#include <cstddef>

#include "schedule.hpp"

namespace shiftnorm::exec {

/// Floats that one image writes to its part of the frontier and reads from it, over all segments: a value is written
/// once, and read once in each later segment that uses it.
[[nodiscard]] std::size_t frontier_traffic(const Schedule& schedule, const Program& program);

}  // namespace shiftnorm::exec
