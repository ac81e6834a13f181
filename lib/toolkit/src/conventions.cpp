#include "conventions.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "shiftnorm/graph/batch_norms.hpp"

namespace shiftnorm::toolkit {
namespace {

using graph::StoredVariance;

/// PyTorch stores the sample variance, and so do the tensors that its users keep in safetensors.
constexpr std::array<std::string_view, 5> kPyTorch{"pytorch-zip", "pytorch-legacy", "pytorch-tar", "safetensors",
                                                   "sharded"};

struct Convention {
  std::optional<double> epsilon, momentum;  ///< PyTorch's p
  std::optional<StoredVariance> stored;
};
using Conventions = std::map<std::string, Convention, std::less<>>;  ///< by the tensor of one of the layer's vectors

/// Those that the file states layer by layer: with its own network, or with its pickled modules.
Conventions told_by(const formats::Checkpoint& checkpoint) {
  Conventions told;
  if (checkpoint.graph)
    for (const graph::BatchNorm& layer : graph::batch_norms(*checkpoint.graph))
      told[checkpoint.graph->value(layer.variance).name] = {layer.epsilon, layer.momentum, layer.stored_variance};
  for (const formats::NormSettings& norm : checkpoint.norms) {
    // A layer without running statistics still has a weight.
    for (const char* vector : {"running_var", "weight"})
      told[norm.layer.empty() ? vector : norm.layer + "." + vector] = {norm.epsilon, norm.momentum, std::nullopt};
  }
  return told;
}

}  // namespace

void keep_conventions(graph::Graph& graph, const formats::Checkpoint& checkpoint, const graph::Binding& binding) {
  const bool pytorch = std::ranges::find(kPyTorch, checkpoint.format) != kPyTorch.end();
  const Conventions told = told_by(checkpoint);
  if (!pytorch && told.empty()) return;
  std::map<graph::ValueId, Convention> of_vector;
  for (const auto& [id, index] : binding.pairs) {
    const auto found = told.find(checkpoint.tensors.at(index).name);
    Convention& one = of_vector[id] = found == told.end() ? Convention{} : found->second;
    if (pytorch && !one.stored) one.stored = StoredVariance::sample;
  }
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const graph::Node& node = graph.nodes()[n];
    if (node.op != "BatchNormalization") continue;
    auto held = of_vector.find(node.inputs.at(4));
    if (held == of_vector.end()) held = of_vector.find(node.inputs.at(1));
    if (held == of_vector.end()) continue;
    const Convention& own = held->second;
    if (own.epsilon) graph.set_attribute(n, "epsilon", static_cast<float>(*own.epsilon));
    if (own.momentum) graph.set_attribute(n, "momentum", static_cast<float>(1.0 - *own.momentum));
    if (own.stored) graph.set_attribute(n, graph::kStoredVariance, std::string(graph::name_of(*own.stored)));
  }
}

}  // namespace shiftnorm::toolkit
