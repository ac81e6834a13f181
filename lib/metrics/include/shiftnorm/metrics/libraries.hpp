#pragma once

#include <vector>

#include "shiftnorm/core/library.hpp"

namespace shiftnorm::metrics {

/// Of Eigen, which is compiled in.
[[nodiscard]] std::vector<Library> libraries();

}  // namespace shiftnorm::metrics
