#include "held_parameters.hpp"

#include <algorithm>
#include <vector>

namespace shiftnorm::zoo {
namespace {

using graph::Graph, graph::Node, graph::ValueId;

constexpr std::size_t kBias = 2;  // its place among the inputs of a Conv

bool any_held(const Graph& graph, const std::vector<ValueId>& ids, const HeldShapes& held) {
  return std::any_of(ids.begin(), ids.end(), [&](ValueId id) { return held.find(graph.value(id).name) != nullptr; });
}

/// A constant of the architecture: no file holds it.
void fix(Graph& graph, ValueId id, float value) {
  graph::Value& parameter = graph.value(id);
  parameter.tensor =
      Tensor(*parameter.shape, std::vector<float>(static_cast<std::size_t>(parameter.shape->elements()), value));
  parameter.name.clear();
}

/// A file that lacks some of its convolutions' biases is damaged; one without any was made so.
void fit_biases(Graph& graph, const HeldShapes& held) {
  std::vector<ValueId> biases;
  for (const Node& node : graph.nodes())
    if (node.op == "Conv" && node.inputs.size() > kBias) biases.push_back(node.inputs[kBias]);
  if (any_held(graph, biases, held)) return;
  for (const ValueId id : biases) fix(graph, id, 0.0f);
}

/// PyTorch's affine=False.
void fit_affine(Graph& graph, const HeldShapes& held) {
  std::vector<ValueId> scales, biases;
  for (const Node& node : graph.nodes()) {
    if (node.op != "BatchNormalization") continue;
    scales.push_back(node.inputs[1]);
    biases.push_back(node.inputs[2]);
  }
  if (any_held(graph, scales, held) || any_held(graph, biases, held)) return;
  for (const ValueId id : scales) fix(graph, id, 1.0f);
  for (const ValueId id : biases) fix(graph, id, 0.0f);
}

}  // namespace

void fit_parameters(Graph& graph, const HeldShapes& held) {
  fit_biases(graph, held);
  fit_affine(graph, held);
}

}  // namespace shiftnorm::zoo
