#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// One node on its way through check_images_apart(): for each input the axis that counts images, or kNoImages where the
/// input does not depend on them. Spelt out in images_apart.hpp.
struct ImageFlow;
inline constexpr std::int64_t kNoImages = -1;

/// One supported operator: how many inputs it takes, what shapes it gives, and where its images go.
struct OpSpec {
  std::string_view op;  ///< ONNX op_type
  std::size_t min_inputs, max_inputs, max_outputs;
  std::vector<Shape> (*infer)(const Graph&, const Node&);  ///< of every output of the node, at the N that it is given
  std::int64_t (*images)(const ImageFlow&);                ///< axis of images in the outputs; throws where they mix
};

/// Every operator, sorted by name: the one place that says what is supported.
[[nodiscard]] std::span<const OpSpec> operators();
[[nodiscard]] const OpSpec* find_operator(std::string_view op);

/// Fills the shape of every activation, at the number of images that the input states.
/// Errors  UnsupportedError naming the first node whose operator is not in the table; ShapeError naming the node.
void infer_shapes(Graph& graph);
/// The same for one node of it, whose inputs have their shapes. Texts do not name the node.
void infer_node(Graph& graph, const Node& node);

/// Follows the axis of images from the input through every node. Shapes must have been inferred.
/// Errors  UnsupportedError naming the first node that mixes images, or an output whose first axis is another one.
void check_images_apart(const Graph& graph);

/// `axis` counted from the end if negative. Errors: ShapeError outside [-rank, rank).
[[nodiscard]] std::size_t axis_of(std::int64_t axis, std::size_t rank);

/// The shape that all of `shapes` broadcast to, NumPy's rule. Errors: ShapeError where they do not.
[[nodiscard]] Shape broadcast(std::span<const Shape> shapes);

/// Spatial attributes of a convolution or pooling, with every default filled in.
struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads_begin, pads_end;
  bool ceil_mode = false, count_include_pad = false;
};
/// `kernel`: of the weights for Conv, else the attribute kernel_shape. auto_pad is resolved against `spatial`.
/// Errors  ShapeError for inconsistent lengths or zero strides.
[[nodiscard]] Window window_of(const Node& node, std::span<const std::int64_t> kernel,
                               std::span<const std::int64_t> spatial);
/// The window of ConvTranspose: the convolution that leads from its output (extents `out`) back to its input. pads_end
/// is what output_padding leaves of it and may be negative.
[[nodiscard]] Window transposed_window_of(const Node& node, std::span<const std::int64_t> kernel,
                                          std::span<const std::int64_t> spatial, std::vector<std::int64_t>& out);

/// Constant integers of input `index` of a node, or what is given when it is absent.
/// Errors  UnsupportedError if the input is computed at run time.
[[nodiscard]] std::vector<std::int64_t> constant_input(const Graph& graph, const Node& node, std::size_t index,
                                                       std::vector<std::int64_t> absent);
/// Integers that some opsets take as input `index` and others as attribute `key`; nothing when both are absent.
[[nodiscard]] std::optional<std::vector<std::int64_t>> constant_argument(const Graph& graph, const Node& node,
                                                                         std::size_t index, std::string_view key);
/// Constant floats of input `index`; empty when it is absent.
[[nodiscard]] std::vector<float> constant_floats(const Graph& graph, const Node& node, std::size_t index);
[[nodiscard]] bool has_input(const Node& node, std::size_t index);

/// What Slice does along one axis of extent n.
struct SliceAxis {
  std::int64_t start = 0, step = 1, count = 0;
};
/// One entry per axis of the input.
[[nodiscard]] std::vector<SliceAxis> slice_axes(const Graph& graph, const Node& node, const Shape& input);

/// Pads of every axis of the input, begins then ends; negative ones crop.
[[nodiscard]] std::vector<std::int64_t> pads_of(const Graph& graph, const Node& node, const Shape& input);
/// Which axes a reduction runs over.
[[nodiscard]] std::vector<bool> reduced_axes(const Graph& graph, const Node& node, std::size_t rank);
/// perm of Transpose, its default filled in.
[[nodiscard]] std::vector<std::size_t> permutation_of(const Node& node, std::size_t rank);
/// Extent of each output of Split along its axis.
[[nodiscard]] std::vector<std::int64_t> split_sizes(const Graph& graph, const Node& node, const Shape& input);

/// What Resize does along one axis.
struct ResizeAxis {
  std::int64_t in = 1, out = 1;
  double scale = 1;                   ///< as given, or out / in
  double roi_begin = 0, roi_end = 1;  ///< in parts of the axis, for tf_crop_and_resize
};
[[nodiscard]] std::vector<ResizeAxis> resize_axes(const Graph& graph, const Node& node, const Shape& input);

}  // namespace shiftnorm::graph
