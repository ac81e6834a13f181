#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

/// A tensor somewhere in memory, row-major.
struct TensorView {
  Shape shape;
  const float* data = nullptr;
};

/// Plain loops for one operator, accumulating in double: what the fast kernels are tested against, and what runs an
/// operator form that has no fast kernel. in: the node's inputs (data null where absent or integer constants).
struct ReferenceOp {
  std::string_view op;
  void (*run)(const graph::Graph& graph, const graph::Node& node, std::span<const TensorView> in,
              const Shape& out_shape, float* out);
};

/// Every operator that graph::operators() lists, sorted by name.
[[nodiscard]] std::span<const ReferenceOp> reference_operators();
[[nodiscard]] const ReferenceOp& reference_operator(std::string_view op);

/// The whole graph on one image ([C, ...] floats, N left out), BatchNorms with the statistics they are bound to.
/// Returns the first output. Shapes must have been inferred and parameters bound.
[[nodiscard]] std::vector<float> run_reference(const graph::Graph& graph, std::span<const float> image);

}  // namespace shiftnorm::exec
