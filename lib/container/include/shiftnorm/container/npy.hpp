#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// NumPy's .npy, format versions 1.0 to 3.0, C or Fortran order, little- or big-endian numbers and bool.
/// Errors  FormatError; UnsupportedError for object and structured dtypes (nothing is ever unpickled).
[[nodiscard]] Array read_npy(std::span<const std::byte> file);
/// Format version 1.0, C order. Errors  UnsupportedError for bfloat16, which NumPy lacks.
[[nodiscard]] std::vector<std::byte> write_npy(const Array& array);
/// .npz: a zip of .npy members, stored or deflated; keys without ".npy". Texts name the member.
[[nodiscard]] std::map<std::string, Array> read_npz(std::span<const std::byte> file);

}  // namespace shiftnorm::container
