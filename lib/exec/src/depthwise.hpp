#pragma once

#include <memory>

#include "convolution.hpp"

namespace shiftnorm::exec {

/// A convolution of each channel by itself between blocked values, with whatever follows it in the same pass; null
/// where the form is none of the usual ones (3 x 3 or 5 x 5 taps, strides of 1 or 2, no dilation, one output a
/// channel). weights: [C, 1, kernel...]; bias: [C] or null.
[[nodiscard]] std::unique_ptr<Kernel> compile_depthwise(const ConvolutionShape& shape, const Tensor& weights,
                                                        const Tensor* bias, std::int64_t block);

}  // namespace shiftnorm::exec
