#pragma once

#include <memory>

#include "convolution.hpp"

namespace shiftnorm::exec {

/// Whether it is a convolution of each channel separately, of one of the usual forms: 3 x 3 or 5 x 5 taps, strides of 1
/// or 2, no dilation, one output a channel.
[[nodiscard]] bool depthwise_fits(const ConvolutionShape& shape);

/// One that depthwise_fits(), between blocked values, with whatever follows it in the same pass. weights: [C, 1,
/// kernel...]; bias: [C] or null.
[[nodiscard]] std::unique_ptr<Kernel> compile_depthwise(const ConvolutionShape& shape, const Tensor& weights,
                                                        const Tensor* bias, std::int64_t block);

}  // namespace shiftnorm::exec
