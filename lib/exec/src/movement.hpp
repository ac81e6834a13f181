#pragma once

#include <cstdint>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

/// Every operator that only moves floats, as one table per axis: element (i, j, ...) of the result is the source's at
/// offsets[0][i] + offsets[1][j] + ..., or the fill where one of them is -1. The axes need not be those of the result's
/// shape as long as they give its floats in order.
struct Movement {
  std::vector<std::vector<std::int64_t>> offsets;
  bool fills = false;     ///< whether any offset is -1
  bool per_axis = false;  ///< whether each axis of the result reads the same axis of the source
};

/// Transpose, Slice, Split (output `which`), Expand, Tile, Pad, Gather by constant indices, DepthToSpace, SpaceToDepth.
[[nodiscard]] Movement movement_of(const graph::Graph& graph, const graph::Node& node, const Shape& src,
                                   const Shape& dst, std::size_t which);
/// Whether movement_of() knows the operator.
[[nodiscard]] bool moves(const graph::Node& node);

void move(const Movement& movement, float fill, const float* src, float* dst);

}  // namespace shiftnorm::exec
