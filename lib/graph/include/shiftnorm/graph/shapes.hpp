#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// One supported operator: how many inputs it takes and what shape it gives.
struct OpSpec {
  std::string_view op;  ///< ONNX op_type
  std::size_t min_inputs, max_inputs;
  Shape (*infer)(const Graph&, const Node&);  ///< of the first output, for one image
};

/// Every operator, sorted by name: the one place that says what is supported.
[[nodiscard]] std::span<const OpSpec> operators();
[[nodiscard]] const OpSpec* find_operator(std::string_view op);

/// Fills the shape of every activation, for one image.
/// Errors  UnsupportedError naming the first node whose operator is not in the table; ShapeError naming the node.
void infer_shapes(Graph& graph);
/// The same for one node of it, whose inputs have their shapes. Texts do not name the node.
void infer_node(Graph& graph, const Node& node);

/// Spatial attributes of a convolution or pooling, with every default filled in.
struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads_begin, pads_end;
  bool ceil_mode = false, count_include_pad = false;
};
/// `kernel`: of the weights for Conv, else the attribute kernel_shape. auto_pad is resolved against `spatial`.
/// Errors  ShapeError for inconsistent lengths or zero strides.
[[nodiscard]] Window window_of(const Node& node, std::span<const std::int64_t> kernel,
                               std::span<const std::int64_t> spatial);

/// Constant integers of input `index` of a node, or what is given when it is absent.
/// Errors  UnsupportedError if the input is computed at run time.
[[nodiscard]] std::vector<std::int64_t> constant_input(const Graph& graph, const Node& node, std::size_t index,
                                                       std::vector<std::int64_t> absent);

/// What Slice does along one axis of extent n.
struct SliceAxis {
  std::int64_t start = 0, step = 1, count = 0;
};
/// One entry per axis of the input. Errors: UnsupportedError for steps below 1.
[[nodiscard]] std::vector<SliceAxis> slice_axes(const Graph& graph, const Node& node, const Shape& input);

}  // namespace shiftnorm::graph
