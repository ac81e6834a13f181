#pragma once

#include <memory>

#include "convolution.hpp"

namespace shiftnorm::exec {

/// Whether it is a 1 x 1 convolution of few inputs, such as the expansion of an inverted residual, or of few outputs,
/// such as its projection.
[[nodiscard]] bool pointwise_pays(const ConvolutionShape& shape, std::int64_t block);

/// One that pointwise_pays(), between blocked values, with whatever goes before or follows it in the same pass.
/// weights: [O, I, 1...]; bias: [O] or null.
[[nodiscard]] std::unique_ptr<Kernel> compile_pointwise(const ConvolutionShape& shape, const Tensor& weights,
                                                        const Tensor* bias, std::int64_t block);

}  // namespace shiftnorm::exec
