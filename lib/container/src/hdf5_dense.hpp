#pragma once

#include <cstdint>
#include <vector>

#include "hdf5_header.hpp"

namespace shiftnorm::container::hdf5 {

/// The objects (links or attributes) of a fractal heap that an index by name, a version 2 B-tree, lists.
/// Errors  FormatError; UnsupportedError for huge objects and filtered heaps.
[[nodiscard]] std::vector<Bytes> read_dense(Bytes file, std::uint64_t heap, std::uint64_t index);

}  // namespace shiftnorm::container::hdf5
