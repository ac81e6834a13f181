#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// What the header of an .npy file says.
struct NpyHeader {
  DType dtype = DType::f32;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads the Python dict literal of an .npy header; nothing else of Python is understood.
/// Errors  FormatError; UnsupportedError for a dtype we lack.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view text);

}  // namespace shiftnorm::container
