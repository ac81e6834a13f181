#include "network.hpp"

#include <algorithm>
#include <numeric>

namespace shiftnorm::adapt {

std::vector<std::size_t> each_its_own(std::size_t count) {
  std::vector<std::size_t> owner(count);
  std::iota(owner.begin(), owner.end(), std::size_t{0});
  return owner;
}

std::unique_ptr<Network> use_by_use(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers,
                                    const EngineOptions& options) {
  if (std::all_of(layers.begin(), layers.end(), [](const graph::BatchNorm& l) { return l.nodes.size() == 1; }))
    return nullptr;
  std::vector<graph::BatchNorm> uses = graph::uses_of(graph, layers);
  std::vector<std::size_t> owner;
  for (const graph::BatchNorm& use : uses) {
    std::size_t layer = 0;
    while (std::find(layers[layer].nodes.begin(), layers[layer].nodes.end(), use.nodes.front()) ==
           layers[layer].nodes.end())
      ++layer;
    owner.push_back(layer);
  }
  return std::make_unique<Network>(std::make_shared<exec::Plan>(graph, std::move(uses)), options, std::move(owner));
}

std::vector<bool> reached(const graph::Graph& graph, const std::vector<graph::BatchNorm>& layers) {
  std::vector<bool> value(graph.values(), false), node(graph.nodes().size(), false);
  for (const graph::ValueId id : graph.outputs()) value[static_cast<std::size_t>(id)] = true;
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const graph::Node& op = graph.nodes()[n];
    node[n] = std::any_of(op.outputs.begin(), op.outputs.end(),
                          [&](graph::ValueId id) { return value[static_cast<std::size_t>(id)]; });
    if (!node[n]) continue;
    for (const graph::ValueId id : op.inputs)
      if (id != graph::kNone) value[static_cast<std::size_t>(id)] = true;
  }
  std::vector<bool> out;
  out.reserve(layers.size());
  for (const graph::BatchNorm& layer : layers)
    out.push_back(std::any_of(layer.nodes.begin(), layer.nodes.end(), [&](std::size_t n) { return node[n]; }));
  return out;
}

}  // namespace shiftnorm::adapt
