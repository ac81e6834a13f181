#pragma once

#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/library.hpp"

namespace shiftnorm::experiment {

/// Those of every room that computes numbers of a result, for results, statistics and provenance.
[[nodiscard]] const std::vector<Library>& computing_libraries();

/// `{"oneDNN": "2.6.0", ...}`; null for none.
[[nodiscard]] container::Json libraries_json(const std::vector<Library>& libraries);

}  // namespace shiftnorm::experiment
