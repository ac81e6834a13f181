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
struct OutputView {
  Shape shape;
  float* data = nullptr;  ///< null: not wanted
};

struct ReferenceCall;

/// Plain loops for one operator over whole tensors, any number of images, accumulating in double: what the fast kernels
/// are tested against, and what runs an operator form that has no fast kernel.
struct ReferenceOp {
  std::string_view op;
  void (*run)(const ReferenceCall& call);
};

/// Every operator that graph::operators() lists, sorted by name.
[[nodiscard]] std::span<const ReferenceOp> reference_operators();
/// Runs one node. in: its inputs, data null where absent; integer constants as floats.
void run_reference_node(const graph::Graph& graph, const graph::Node& node, std::span<const TensorView> in,
                        std::span<const OutputView> out);

/// The whole graph on the images that its input states ([N, C, ...] floats), BatchNorms with the statistics they are
/// bound to. Returns every output. Shapes must have been inferred and parameters bound.
[[nodiscard]] std::vector<std::vector<float>> run_reference(const graph::Graph& graph, std::span<const float> images);

}  // namespace shiftnorm::exec
