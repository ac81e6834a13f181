#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// Every operator that only moves elements, as one table per axis: element (i, j, ...) of the result is the source's at
/// offsets[0][i] + offsets[1][j] + ..., or the fill where one of them is -1. The axes need not be those of the result's
/// shape as long as they give its elements in order. Constants that are folded and activations that a plan computes
/// are moved by the same tables.
struct Movement {
  std::vector<std::vector<std::int64_t>> offsets;
  bool fills = false;     ///< whether any offset is -1
  bool per_axis = false;  ///< whether each axis of the result reads the same axis of the source
};

/// Transpose, Slice, Split (output `which`), Expand, Tile, Pad, Gather by constant indices, DepthToSpace, SpaceToDepth.
/// src, dst: shapes of the first input and of the output, as infer_node() gives them.
[[nodiscard]] Movement movement_of(const Graph& graph, const Node& node, const Shape& src, const Shape& dst,
                                   std::size_t which);
/// Whether movement_of() knows the operator.
[[nodiscard]] bool moves(const Node& node);
/// What Expand does, and every operator that broadcasts its operands.
[[nodiscard]] Movement expansion(const Shape& src, const Shape& dst);

/// T: float or std::int64_t.
template <class T>
void move(const Movement& movement, T fill, const T* src, T* dst);
extern template void move(const Movement&, float, const float*, float*);
extern template void move(const Movement&, std::int64_t, const std::int64_t*, std::int64_t*);

/// Row-major elements of one operand of concatenate().
template <class T>
struct Block {
  Shape shape;
  const T* data = nullptr;
};

/// Concat: blocks of shapes that agree in all axes but `axis`, one after the other along it.
template <class T>
void concatenate(std::span<const Block<T>> blocks, std::size_t axis, T* dst) {
  if (blocks.empty()) return;
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= blocks.front().shape[i];
  for (std::int64_t o = 0; o < outer; ++o)
    for (const Block<T>& block : blocks) {
      const std::int64_t run = block.shape.elements_from(axis);
      dst = std::copy_n(block.data + o * run, run, dst);
    }
}

}  // namespace shiftnorm::graph
