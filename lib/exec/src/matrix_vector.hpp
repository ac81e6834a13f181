#pragma once

#include <memory>

#include "kernel.hpp"
#include "shiftnorm/core/array.hpp"

namespace shiftnorm::exec {

/// y = alpha * W x + beta * b for `vectors` plain vectors in a row. weights: [out, in], or [in, out] when not
/// transposed.
[[nodiscard]] std::unique_ptr<Kernel> compile_matrix_vector(const Tensor& weights, bool transposed, const Tensor* bias,
                                                            float alpha, float beta, std::int64_t vectors = 1);

}  // namespace shiftnorm::exec
