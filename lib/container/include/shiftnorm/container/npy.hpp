#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// NumPy's .npy, format versions 1.0 to 3.0, C or Fortran order, little- or big-endian numbers and bool.
/// Errors  FormatError; UnsupportedError for object and structured dtypes (nothing is ever unpickled).
[[nodiscard]] Array read_npy(std::span<const std::byte> file);

}  // namespace shiftnorm::container
