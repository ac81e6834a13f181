#pragma once

#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// Adds average pooling of a map with these spatial extents to a fixed number of cells per axis; cells that cover
/// fractions average every pixel they touch. ONNX has no such operator: it becomes a global pool, a pool with a whole
/// window, or two products with constant matrices.
/// Source  PyTorch's AdaptiveAvgPool: cell o covers [floor(o * in / out), ceil((o + 1) * in / out))
/// Errors  UnsupportedError for cells of fractions in other than two spatial axes.
ValueId add_adaptive_average_pool(Graph& graph, const std::string& name, ValueId x,
                                  const std::vector<std::int64_t>& extents, const std::vector<std::int64_t>& cells);

}  // namespace shiftnorm::graph
