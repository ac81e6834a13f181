#pragma once

#include <vector>

#include "shiftnorm/core/library.hpp"

namespace shiftnorm::imaging {

/// Of the decoders and OpenCV: those that are linked here.
[[nodiscard]] std::vector<Library> libraries();

}  // namespace shiftnorm::imaging
