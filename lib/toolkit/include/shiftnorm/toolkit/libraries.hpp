#pragma once

#include <vector>

#include "shiftnorm/core/library.hpp"

namespace shiftnorm::toolkit {

/// Those of every module that computes numbers of a result, for results, statistics and provenance.
[[nodiscard]] const std::vector<Library>& computing_libraries();

}  // namespace shiftnorm::toolkit
