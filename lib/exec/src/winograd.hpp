#pragma once

#include <cstdint>
#include <memory>

#include "convolution.hpp"

namespace shiftnorm::exec {

/// Whether Winograd's algorithm pays for a convolution: a function of its shape alone, so that the same network has the
/// same bits on every machine with the same instruction set. Two spatial axes, 3 x 3, stride and dilation 1, one group.
[[nodiscard]] bool winograd_pays(const ConvolutionShape& shape, std::int64_t block);

/// A convolution that winograd_pays(), between blocked values. weights: [O, I, 3, 3]; bias: [O] or null.
/// Its rounding errors are two to three times those of direct convolution (decision 0029).
[[nodiscard]] std::unique_ptr<Kernel> compile_winograd(const ConvolutionShape& shape, const Tensor& weights,
                                                       const Tensor* bias, std::int64_t block);

}  // namespace shiftnorm::exec
