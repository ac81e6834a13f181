#pragma once

#include <cstdint>
#include <memory>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/core/array.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

struct ConvolutionShape {
  Shape src, dst;  ///< with N = 1
  graph::Window window;
  std::int64_t groups = 1;
};

/// A oneDNN convolution into a blocked destination. `plain_source` tells whether it reads a plain source.
struct CompiledConvolution {
  std::unique_ptr<Kernel> kernel;
  bool plain_source = false;
};

/// weights: [O, I/groups, kernel...]; bias: [O] or null. A plain source is taken where a JIT kernel reads it (first
/// layers of 1 to 3 channels), never oneDNN's gemm fallback, whose bits depend on the size of the thread team.
/// Errors  UnsupportedError for more than three spatial axes.
[[nodiscard]] CompiledConvolution compile_convolution(const ConvolutionShape& shape, const Tensor& weights,
                                                      const Tensor* bias, std::int64_t block, bool source_is_plain);

/// ConvTranspose between blocked values. shape.window: the convolution from dst back to src.
/// Errors  dnnl::error where oneDNN has no such form.
[[nodiscard]] std::unique_ptr<Kernel> compile_transposed_convolution(const ConvolutionShape& shape,
                                                                     const Tensor& weights, const Tensor* bias,
                                                                     std::int64_t block);

}  // namespace shiftnorm::exec
