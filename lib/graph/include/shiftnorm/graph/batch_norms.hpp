#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// One BatchNorm parameter set: the unit that is measured, blended and written back. It may be applied by several
/// nodes.
struct BatchNorm {
  std::string name;                ///< common prefix of its parameters, e.g. "layer1.0.bn1"
  std::vector<std::size_t> nodes;  ///< indices of its BatchNormalization nodes
  std::int64_t channels = 0;
  double epsilon = 1e-5;
  double momentum = 0.1;                                                ///< PyTorch's p (ONNX stores 1 - p)
  ValueId scale = kNone, bias = kNone, mean = kNone, variance = kNone;  ///< parameters of the graph
  bool affine = true;   ///< false: gamma and beta are constants 1 and 0 that no file holds
  bool folded = false;  ///< put in by unfold(): no file holds its vectors, and gamma and beta are those of the source
  std::int64_t level = 0;  ///< 1 for a set with no measured BatchNorm upstream
  bool ordered = true;     ///< false: a use depends on another use of itself, no exact order exists

  /// gamma / sqrt(variance_now + epsilon), per channel; a folded layer's is kept at 10 or below: its gamma comes from a
  /// small sample, and a channel that is nearly constant on the target would be blown up.
  [[nodiscard]] double gain(double gamma, double variance_now) const;
};

/// The BatchNorms of a graph in topological order of their first use, with levels when all of them are measured.
[[nodiscard]] std::vector<BatchNorm> batch_norms(const Graph& graph);
/// One entry per application instead, in graph order, with levels: a set applied twice gives two of the same name.
[[nodiscard]] std::vector<BatchNorm> uses_of(const Graph& graph, const std::vector<BatchNorm>& sets);
/// Levels when only those with measured[i] take part: sets `level` (0 for the others) and `ordered`.
void assign_levels(const Graph& graph, std::vector<BatchNorm>& sets, const std::vector<bool>& measured);

}  // namespace shiftnorm::graph
