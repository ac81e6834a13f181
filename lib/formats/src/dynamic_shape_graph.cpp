#include <fmt/format.h>

#include <array>
#include <functional>

#include "readers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/constants.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::formats {

std::optional<Shape> DynamicShapeGraph::sized(std::span<const std::int64_t> spatial) const {
  if (input.size() != spatial.size() + 2) return std::nullopt;
  std::vector<std::int64_t> extents = input;
  // Channels that the file leaves open are those of ordinary colour images.
  constexpr std::int64_t kColours = 3;
  if (extents[1] == 0) extents[1] = kColours;
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    std::int64_t& extent = extents[i + 2];
    if (extent != 0 && extent != spatial[i]) return std::nullopt;
    extent = spatial[i];
  }
  return Shape(std::move(extents));
}

graph::Graph resolve(const DynamicShapeGraph& network, const Shape& input) {
  graph::Graph graph = graph::resolve(network.graph, input, network.batch);
  graph::check_images_apart(graph);
  return graph;
}

void with_common_sizes(const DynamicShapeGraph& network, const std::function<void(const Shape& input)>& use) {
  // Sizes that networks are trained at, the commonest first: a Flatten in front of a matrix fits one of them alone.
  constexpr std::array<std::int64_t, 13> kSizes{224, 32, 299, 256, 28, 64, 128, 96, 384, 512, 48, 240, 1024};
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    std::vector<std::int64_t> spatial(network.input.begin() + 2, network.input.end());
    bool open = false;
    for (std::int64_t& extent : spatial) {
      open = open || extent == 0;
      if (extent == 0) extent = kSizes[i];
    }
    try {
      return use(*network.sized(spatial));
    } catch (const ShapeError&) {
      if (!open || i + 1 == kSizes.size()) throw;
    }
  }
  throw ShapeError("the network has no input");
}

graph::Graph resolve(const DynamicShapeGraph& network) {
  graph::Graph graph;
  with_common_sizes(network, [&](const Shape& input) { graph = resolve(network, input); });
  return graph;
}

}  // namespace shiftnorm::formats
