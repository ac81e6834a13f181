#pragma once

#include <cstddef>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::test {

/// NumPy's .npy as numpy.save writes it: format version 1.0, C order. Throws for bfloat16, which NumPy lacks.
[[nodiscard]] std::vector<std::byte> write_npy(const Array& array);

}  // namespace shiftnorm::test
