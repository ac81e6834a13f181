#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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

/// A convolution into a blocked destination.
struct CompiledConvolution {
  std::unique_ptr<Kernel> kernel;
  std::string_view name;      ///< which of the ways to carry it out was taken
  bool plain_source = false;  ///< it reads a plain source
};

/// The first of a list of ways that fits. weights: [O, I/groups, kernel...]; bias: [O] or null. A plain source is taken
/// where a JIT kernel reads it (first layers of 1 to 3 channels), never oneDNN's gemm fallback, whose bits depend on
/// the size of the thread team. Errors  UnsupportedError for more than three spatial axes.
[[nodiscard]] CompiledConvolution compile_convolution(const ConvolutionShape& shape, const Tensor& weights,
                                                      const Tensor* bias, std::int64_t block, bool source_is_plain);

/// A shape in one word, after benchdnn's: groups g, images mb, channels ic and oc, and for each axis d, h or w the
/// extents i and o, the taps k, and where they are not 1, 1, 0 and as the pad before it: stride s, dilation d, pad p
/// and pad behind e. "mb1ic64oc64ih48oh48kh3ph1iw48ow48kw3pw1".
[[nodiscard]] std::string form_of(const ConvolutionShape& shape);

/// ConvTranspose between blocked values. shape.window: the convolution from dst back to src.
/// Errors  dnnl::error where oneDNN has no such form.
[[nodiscard]] std::unique_ptr<Kernel> compile_transposed_convolution(const ConvolutionShape& shape,
                                                                     const Tensor& weights, const Tensor* bias,
                                                                     std::int64_t block);

}  // namespace shiftnorm::exec
