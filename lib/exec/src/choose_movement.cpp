#include <algorithm>

#include "copy_kernels.hpp"
#include "kernel_choice.hpp"
#include "lowering.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

using graph::ValueId;

bool make_alias(Lowering& node) {
  node.give(node.materialise(node.input()));
  return true;
}

bool make_dropout(Lowering& node) {
  make_alias(node);
  if (node.node().outputs.size() > 1 && node.wanted(1)) node.by_plain_loops(1);
  return true;
}

/// The same floats in row-major order under another shape.
bool make_view(Lowering& node) {
  const ValueIndex x = node.as_block(node.materialise(node.input()), 1);
  const Shape& shape = node.shape(node.output());
  node.give(node.emit({x}, shape, 1, compile_copy(shape.elements())));
  return true;
}

bool concat_fits(const Lowering& node) {
  const std::vector<ValueId>& inputs = node.node().inputs;
  return std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) {
    return node.activation(id) && node.shape(id).rank() >= 2 && node.shape(id)[0] == 1 &&
           graph::axis_of(node.node().integer("axis", 1), node.shape(id).rank()) == 1;
  });
}

bool make_concat(Lowering& node) {
  std::vector<ValueIndex> src;
  std::int64_t block = 1;
  for (const ValueId id : node.node().inputs) {
    src.push_back(node.materialise(id));
    block = std::max(block, node.block_of(src.back()));
  }
  std::vector<Layout> layouts;
  for (ValueIndex& value : src) {
    value = node.as_block(value, block);
    layouts.push_back(node.layout(value));
  }
  node.give(node.emit(std::move(src), node.shape(node.output()), block, compile_channel_concat(std::move(layouts))));
  return true;
}

bool movement_fits(const Lowering& node) {
  const std::vector<ValueId>& inputs = node.node().inputs;
  return graph::moves(node.node()) &&
         std::none_of(inputs.begin() + 1, inputs.end(), [&](ValueId id) { return node.activation(id); });
}

/// Slices, pads and such, in the layout that their source has where they treat each axis separately.
bool make_movement(Lowering& node) {
  const ValueId from = node.input();
  const Tensor* given = node.node().op == "Pad" ? node.optional_parameter(2) : nullptr;
  const float fill = given != nullptr ? given->values.at(0) : 0.0f;
  for (std::size_t k = 0; k < node.node().outputs.size(); ++k) {
    if (!node.wanted(k)) continue;
    const ValueId to = node.node().outputs[k];
    const Shape& shape = node.shape(to);
    graph::Movement movement = graph::movement_of(node.graph(), node.node(), node.shape(from), shape, k);
    const ValueIndex x = node.materialise(from);
    if (node.block_of(x) > 1 && movement.per_axis && shape[0] == 1) {
      const Layout src = node.layout(x);
      node.give(to, node.emit({x}, shape, src.block,
                              compile_blocked_movement(movement, fill, src, layout_of(shape, src.block))));
    } else {
      node.give(to, node.emit({node.as_block(x, 1)}, shape, 1, compile_movement(std::move(movement), fill)));
    }
  }
  return true;
}

bool make_plain_loops(Lowering& node) {
  for (std::size_t k = 0; k < node.node().outputs.size(); ++k)
    if (node.wanted(k)) node.by_plain_loops(k);
  return true;
}

}  // namespace shiftnorm::exec
