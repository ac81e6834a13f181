#include <fmt/format.h>

#include <algorithm>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

void check_channels(const Graph& graph, const Node& node, std::size_t last) {
  const Shape& x = input_shape(graph, node, 0);
  if (x.rank() < 2) throw ShapeError(fmt::format("input has shape {}; expected [N, C, ...]", x.text()));
  for (std::size_t i = 1; i <= last; ++i) {
    const Shape& v = input_shape(graph, node, i);
    if (v != Shape{x[1]})
      throw ShapeError(fmt::format("'{}' has shape {}; expected [{}], the channels of the input",
                                   graph.value(node.inputs[i]).name, v.text(), x[1]));
  }
}

Shape without_or_one(const Shape& x, const std::vector<bool>& reduced, bool keep) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    if (!reduced[i])
      out.push_back(x[i]);
    else if (keep)
      out.push_back(1);
  }
  return Shape(std::move(out));
}

}  // namespace

Shapes infer_batch_norm(const Graph& graph, const Node& node) {
  if (node.integer("training_mode", 0) != 0)
    throw UnsupportedError("BatchNormalization with training_mode = 1; expected the inference form");
  check_channels(graph, node, 4);
  return infer_same(graph, node);
}

Shapes infer_instance_norm(const Graph& graph, const Node& node) {
  check_channels(graph, node, 2);
  return infer_same(graph, node);
}

Shapes infer_layer_norm(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const std::size_t axis = axis_of(node.integer("axis", -1), x.rank());
  const Shape normalised(
      std::vector<std::int64_t>(x.extents().begin() + static_cast<std::ptrdiff_t>(axis), x.extents().end()));
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!has_input(node, i)) continue;
    const Shapes both{normalised, input_shape(graph, node, i)};
    if (broadcast(both) != normalised)
      throw ShapeError(fmt::format("'{}' has shape {}; expected {}, the axes of the input from {} on",
                                   graph.value(node.inputs[i]).name, both[1].text(), normalised.text(), axis));
  }
  std::vector<std::int64_t> moments = x.extents();
  std::fill(moments.begin() + static_cast<std::ptrdiff_t>(axis), moments.end(), 1);
  Shapes shapes(node.outputs.size(), Shape(std::move(moments)));
  shapes.front() = x;
  return shapes;
}

Shapes infer_lrn(const Graph& graph, const Node& node) {
  check_channels(graph, node, 0);
  if (node.integer("size", 0) < 1) throw FormatError(fmt::format("LRN over {} channels", node.integer("size", 0)));
  return infer_same(graph, node);
}

Shapes infer_along_axis(const Graph& graph, const Node& node) {
  (void)axis_of(node.integer("axis", -1), input_shape(graph, node, 0).rank());
  return infer_same(graph, node);
}

Shapes infer_mean_variance(const Graph& graph, const Node& node) {
  for (const std::int64_t axis : node.integers("axes", {0, 2, 3}))
    (void)axis_of(axis, input_shape(graph, node, 0).rank());
  return infer_same(graph, node);
}

std::vector<bool> reduced_axes(const Graph& graph, const Node& node, std::size_t rank) {
  const std::vector<std::int64_t> axes =
      constant_argument(graph, node, 1, "axes").value_or(std::vector<std::int64_t>{});
  std::vector<bool> reduced(rank, axes.empty() && node.integer("noop_with_empty_axes", 0) == 0);
  for (const std::int64_t axis : axes) reduced[axis_of(axis, rank)] = true;
  return reduced;
}

Shapes infer_reduce(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  return {without_or_one(x, reduced_axes(graph, node, x.rank()), node.integer("keepdims", 1) != 0)};
}

Shapes infer_arg(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  std::vector<bool> reduced(x.rank(), false);
  reduced[axis_of(node.integer("axis", 0), x.rank())] = true;
  return {without_or_one(x, reduced, node.integer("keepdims", 1) != 0)};
}

}  // namespace shiftnorm::graph
