#include <fmt/format.h>

#include <algorithm>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {

Shape broadcast(std::span<const Shape> shapes) {
  std::vector<std::int64_t> out;
  for (const Shape& shape : shapes) {
    const std::vector<std::int64_t>& other = shape.extents();
    if (other.size() > out.size()) out.insert(out.begin(), other.size() - out.size(), 1);
    for (std::size_t i = 0; i < other.size(); ++i) {
      std::int64_t& a = out[out.size() - 1 - i];
      const std::int64_t b = other[other.size() - 1 - i];
      if (a != b && a != 1 && b != 1)
        throw ShapeError(fmt::format("{} and {} do not broadcast", Shape(out).text(), shape.text()));
      if (a == 1) a = b;
    }
  }
  return Shape(std::move(out));
}

Shapes infer_same(const Graph& graph, const Node& node) {
  return Shapes(node.outputs.size(), input_shape(graph, node, 0));
}

Shapes infer_broadcast(const Graph& graph, const Node& node) {
  Shapes in;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) in.push_back(input_shape(graph, node, k));
  return {broadcast(in)};
}

Shapes infer_prelu(const Graph& graph, const Node& node) {
  const Shape& x = input_shape(graph, node, 0);
  const Shapes both{x, input_shape(graph, node, 1)};
  if (broadcast(both) != x)
    throw ShapeError(fmt::format("slope {} does not broadcast to {}", both[1].text(), x.text()));
  return {x};
}

}  // namespace shiftnorm::graph
