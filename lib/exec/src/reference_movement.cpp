#include <fmt/format.h>

#include <cmath>

#include "loops.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/movement.hpp"

namespace shiftnorm::exec {
namespace {

/// An index that was computed, counted from the end if negative.
std::int64_t index_below(float given, std::int64_t n) {
  if (!(given >= static_cast<float>(-n) && given < static_cast<float>(n)))
    throw ShapeError(fmt::format("index {} into an extent of {}", given, n));
  const auto i = static_cast<std::int64_t>(given);
  return i < 0 ? i + n : i;
}

}  // namespace

void run_move(const ReferenceCall& call) {
  const float fill = call.node.op == "Pad" && call.has(2) ? *call.in[2].data : 0.0f;
  for (std::size_t k = 0; k < call.out.size(); ++k)
    if (call.out[k].data != nullptr)
      graph::move(graph::movement_of(call.graph, call.node, call.in[0].shape, call.out[k].shape, k), fill,
                  call.in[0].data, call.out[k].data);
}

void run_concat(const ReferenceCall& call) {
  std::vector<graph::Block<float>> blocks;
  for (const TensorView& view : call.in) blocks.push_back({view.shape, view.data});
  graph::concatenate<float>(blocks, graph::axis_of(call.node.integer("axis", 1), call.out[0].shape.rank()),
                            call.out[0].data);
}

void run_gather(const ReferenceCall& call) {
  if (call.graph.value(call.node.inputs[1]).integers) return run_move(call);
  const Shape& src = call.in[0].shape;
  const std::size_t axis = graph::axis_of(call.node.integer("axis", 0), src.rank());
  const std::int64_t inner = src.elements_from(axis + 1), n = src[axis], picked = call.in[1].shape.elements();
  float* out = call.out[0].data;
  for (std::int64_t o = 0; n * inner > 0 && o < src.elements() / (n * inner); ++o)
    for (std::int64_t i = 0; i < picked; ++i)
      out = std::copy_n(call.in[0].data + (o * n + index_below(call.in[1].data[i], n)) * inner, inner, out);
}

void run_gather_elements(const ReferenceCall& call) {
  const Shape &src = call.in[0].shape, &shape = call.out[0].shape;
  const std::size_t axis = graph::axis_of(call.node.integer("axis", 0), src.rank());
  const std::vector<std::int64_t> strides = strides_of(src);
  if (shape.elements() == 0) return;
  Odometer at(shape.extents());
  std::int64_t i = 0;
  do {
    std::int64_t from = dot(at.index(), strides);
    from += (index_below(call.in[1].data[i], src[axis]) - at[axis]) * strides[axis];
    call.out[0].data[i++] = call.in[0].data[from];
  } while (at.next());
}

}  // namespace shiftnorm::exec
