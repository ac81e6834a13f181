#include "shiftnorm/graph/marks.hpp"

#include <string>

namespace shiftnorm::graph {

std::optional<std::int64_t> by_batch(const Graph& graph, const BatchNorm& layer) {
  for (const std::size_t n : layer.nodes)
    if (const Node& node = graph.nodes().at(n); node.attributes.contains(std::string(kByBatch)))
      return node.integer(kByBatch, 0);
  return std::nullopt;
}

}  // namespace shiftnorm::graph
