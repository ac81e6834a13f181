#pragma once

#include <cstddef>
#include <span>

namespace shiftnorm::exec {

/// dst[k][i] = bias[i] + dot(matrix[i], x[k]) for `rows` rows of `columns` floats, the same bits for any number of
/// vectors. bias may be null.
void matrix_vectors(const float* matrix, std::span<const float* const> x, const float* bias, std::size_t rows,
                    std::size_t columns, std::span<float* const> dst);

}  // namespace shiftnorm::exec
