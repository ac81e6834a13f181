#include <algorithm>
#include <dnnl.hpp>

#include "convolution.hpp"
#include "kernel_choice.hpp"
#include "lowering.hpp"
#include "lrn.hpp"
#include "matrix_vector.hpp"
#include "pooling.hpp"

namespace shiftnorm::exec {
namespace {

using graph::ValueId;

std::vector<std::int64_t> from_axis_2(const Shape& shape) {
  return {shape.extents().begin() + 2, shape.extents().end()};
}

/// Of Conv and ConvTranspose, but for the window.
ConvolutionShape convolution_shape(const Lowering& node) {
  return {node.shape(node.input()), node.shape(node.output()), {}, node.node().integer("group", 1)};
}

/// From and to blocks of channels.
bool give_blocked(Lowering& node, std::unique_ptr<Kernel> kernel) {
  const std::int64_t block = node.program_block();
  node.give(node.emit({node.as_block(node.materialise(node.input()), block)}, node.shape(node.output()), block,
                      std::move(kernel)));
  return true;
}

}  // namespace

bool has_spatial_axes(const Lowering& node) { return node.shape(node.input()).rank() <= 5; }

bool make_convolution(Lowering& node) {
  const ValueIndex x = node.materialise(node.input());
  const Tensor& weights = node.parameter(node.input(1));
  ConvolutionShape s = convolution_shape(node);
  s.window = graph::window_of(node.node(), from_axis_2(weights.shape), from_axis_2(s.src));
  const std::int64_t block = node.program_block();
  CompiledConvolution c = compile_convolution(s, weights, node.optional_parameter(2), block, node.block_of(x) == 1);
  node.give(
      node.emit(c.name, {node.as_block(x, c.plain_source ? 1 : block)}, s.dst, block, std::move(c.kernel), form_of(s)));
  return true;
}

bool make_transposed_convolution(Lowering& node) {
  const Tensor& weights = node.parameter(node.input(1));
  ConvolutionShape s = convolution_shape(node);
  std::vector<std::int64_t> out;
  s.window = graph::transposed_window_of(node.node(), from_axis_2(weights.shape), from_axis_2(s.src), out);
  try {
    return give_blocked(node,
                        compile_transposed_convolution(s, weights, node.optional_parameter(2), node.program_block()));
  } catch (const dnnl::error&) {  // no kernel of that form
    return false;
  }
}

bool pool_fits(const Lowering& node) {
  return has_spatial_axes(node) && (node.node().outputs.size() == 1 || !node.wanted(1));
}

bool make_pool(Lowering& node) {
  const Shape& x = node.shape(node.input());
  const graph::Window window = graph::window_of(node.node(), node.node().integers("kernel_shape", {}), from_axis_2(x));
  auto kernel =
      compile_pooling(node.node().op == "MaxPool", x, node.shape(node.output()), window, node.program_block());
  return kernel && give_blocked(node, std::move(kernel));
}

/// The mean over all pixels of each channel, which is how some exporters write global pooling.
bool pixels_reduced(const Lowering& node) {
  const Shape& x = node.shape(node.input());
  const std::vector<bool> reduced = graph::reduced_axes(node.graph(), node.node(), x.rank());
  bool pixels = x.rank() > 2 && x[0] == 1;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) pixels = pixels && reduced[axis] == (axis > 1);
  return pixels;
}

bool make_global_average(Lowering& node) {
  const ValueIndex x = node.materialise(node.input());
  const std::int64_t block = node.block_of(x);
  node.give(node.emit({x}, node.shape(node.output()), block,
                      compile_global_average(layout_of(node.shape(node.input()), block))));
  return true;
}

bool lrn_fits(const Lowering& node) {
  const std::size_t rank = node.shape(node.input()).rank();
  return rank >= 3 && rank <= 5;
}

bool make_lrn(Lowering& node) {
  const graph::Node& n = node.node();
  auto kernel = compile_lrn(node.shape(node.input()), n.integer("size", 1), n.number("alpha", 1e-4f),
                            n.number("beta", 0.75f), n.number("bias", 1.0f), node.program_block());
  return kernel && give_blocked(node, std::move(kernel));
}

bool gemm_fits(const Lowering& node) {
  const bool bias = graph::has_input(node.node(), 2);
  const Shape& out = node.shape(node.output());
  return node.activation(node.input(0)) && !node.activation(node.input(1)) && node.node().integer("transA", 0) == 0 &&
         out[0] == 1 && !(bias && (node.activation(node.input(2)) || node.shape(node.input(2)).elements() != out[1]));
}

bool make_gemm(Lowering& node) {
  const graph::Node& n = node.node();
  const ValueIndex x = node.as_block(node.materialise(node.input()), 1);
  auto kernel = compile_matrix_vector(node.parameter(node.input(1)), n.integer("transB", 0) != 0,
                                      node.optional_parameter(2), n.number("alpha", 1.0f), n.number("beta", 1.0f));
  node.give(node.emit({x}, node.shape(node.output()), 1, std::move(kernel)));
  return true;
}

/// Rows against one matrix.
bool mat_mul_fits(const Lowering& node) {
  const ValueId a = node.input(0), b = node.input(1);
  return node.activation(a) && !node.activation(b) && node.shape(b).rank() == 2 && node.shape(a).rank() >= 2;
}

bool make_mat_mul(Lowering& node) {
  const Tensor& matrix = node.parameter(node.input(1));
  const std::int64_t rows =
      node.shape(node.input()).elements() / std::max<std::int64_t>(node.shape(node.input(1))[0], 1);
  const ValueIndex x = node.as_block(node.materialise(node.input()), 1);
  node.give(
      node.emit({x}, node.shape(node.output()), 1, compile_matrix_vector(matrix, false, nullptr, 1.0f, 0.0f, rows)));
  return true;
}

}  // namespace shiftnorm::exec
