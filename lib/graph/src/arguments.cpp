#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {

bool has_input(const Node& node, std::size_t index) {
  return index < node.inputs.size() && node.inputs[index] != kNone;
}

std::size_t axis_of(std::int64_t axis, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n) throw ShapeError(fmt::format("axis {} of a tensor of rank {}", axis, rank));
  return static_cast<std::size_t>(axis < 0 ? axis + n : axis);
}

std::vector<std::int64_t> constant_input(const Graph& graph, const Node& node, std::size_t index,
                                         std::vector<std::int64_t> absent) {
  if (!has_input(node, index)) return absent;
  const Value& value = graph.value(node.inputs[index]);
  if (!value.integers)
    throw UnsupportedError(
        fmt::format("input {} ('{}') of {} is computed at run time; expected a constant", index, value.name, node.op));
  return *value.integers;
}

std::optional<std::vector<std::int64_t>> constant_argument(const Graph& graph, const Node& node, std::size_t index,
                                                           std::string_view key) {
  if (has_input(node, index)) return constant_input(graph, node, index, {});
  if (node.attributes.count(std::string(key)) != 0) return node.integers(key, {});
  return std::nullopt;
}

std::vector<float> constant_floats(const Graph& graph, const Node& node, std::size_t index) {
  if (!has_input(node, index)) return {};
  const Value& value = graph.value(node.inputs[index]);
  if (value.integers) return {value.integers->begin(), value.integers->end()};
  if (!value.tensor)
    throw UnsupportedError(
        fmt::format("input {} ('{}') of {} is computed at run time; expected a constant", index, value.name, node.op));
  return {value.tensor->values.begin(), value.tensor->values.end()};
}

}  // namespace shiftnorm::graph
