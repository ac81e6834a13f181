#pragma once

#include <vector>

#include "shiftnorm/core/library.hpp"

namespace shiftnorm::exec {

/// Of oneDNN and Highway: those that are linked here.
[[nodiscard]] std::vector<Library> libraries();

}  // namespace shiftnorm::exec
