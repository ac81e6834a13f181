#include "shiftnorm/graph/adaptive_pool.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Ints = std::vector<std::int64_t>;

/// [in, out] weights of adaptive average pooling along one axis, or their transpose.
Tensor adaptive_weights(std::int64_t in, std::int64_t out, bool transposed) {
  std::vector<float> weights(static_cast<std::size_t>(in * out), 0.0f);
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t first = o * in / out, last = ((o + 1) * in + out - 1) / out;
    for (std::int64_t i = first; i < last; ++i)
      weights[static_cast<std::size_t>(transposed ? o * in + i : i * out + o)] =
          1.0f / static_cast<float>(last - first);
  }
  return {transposed ? Shape{out, in} : Shape{in, out}, weights};
}

ValueId constant(Graph& graph, const std::string& name, Tensor tensor) {
  const ValueId id = graph.add_parameter(name, tensor.shape);
  graph.value(id).tensor = std::move(tensor);
  return id;
}

}  // namespace

ValueId add_adaptive_average_pool(Graph& graph, const std::string& name, ValueId x, const Ints& extents,
                                  const Ints& cells) {
  if (std::all_of(cells.begin(), cells.end(), [](std::int64_t n) { return n == 1; }))
    return graph.add("GlobalAveragePool", name, {x});
  if (extents == cells) return x;
  Ints kernel;
  bool whole = true;
  for (std::size_t axis = 0; axis < cells.size(); ++axis) {
    whole = whole && cells[axis] > 0 && extents[axis] % cells[axis] == 0;
    if (whole) kernel.push_back(extents[axis] / cells[axis]);
  }
  if (whole) return graph.add("AveragePool", name, {x}, {{"kernel_shape", kernel}, {"strides", kernel}});
  if (cells.size() != 2)
    throw UnsupportedError(fmt::format("'{}' pools [{}] to [{}]; fractional cells are supported for two axes only",
                                       name, fmt::join(extents, ", "), fmt::join(cells, ", ")));
  if (extents[0] != cells[0])
    x = graph.add("MatMul", name + ".rows",
                  {constant(graph, name + ".rows.weights", adaptive_weights(extents[0], cells[0], true)), x});
  if (extents[1] != cells[1])
    x = graph.add("MatMul", name + ".columns",
                  {x, constant(graph, name + ".columns.weights", adaptive_weights(extents[1], cells[1], false))});
  return x;
}

}  // namespace shiftnorm::graph
