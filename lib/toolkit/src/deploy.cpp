#include "deploy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/fold.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::size_t kCheckImages = 2;
// A wrong fold is off by the order of the outputs themselves; rounding each weight to float32 anew moves the outputs of
// published networks by 1e-6 to 1e-5 of the largest.
constexpr double kFoldTolerance = 1e-3;

/// Puts values into one input of every node of a set; a vector that something else reads too is left to it.
void put(graph::Graph& graph, const graph::BatchNorm& layer, std::size_t input, const std::vector<double>& values) {
  const std::vector<graph::Node>& nodes = graph.nodes();
  const graph::ValueId old = nodes[layer.nodes.front()].inputs[input];
  std::size_t uses = 0;
  for (const graph::Node& node : nodes) uses += static_cast<std::size_t>(std::ranges::count(node.inputs, old));
  graph::ValueId id = old;
  if (uses != layer.nodes.size()) {
    id = graph.add_parameter(fmt::format("{}.{}", graph.value(old).name, layer.name), *graph.value(old).shape);
    for (const std::size_t n : layer.nodes) graph.rewire(n, input, id);
  }
  Array rounded(DType::f32, *graph.value(id).shape);
  try {
    encode_floats(values, DType::f32, rounded.bytes());
  } catch (const Error&) {
    rethrow_at(fmt::format("layer '{}'", layer.name));
  }
  graph.value(id).tensor = Tensor(rounded);
}

/// Every output number of the network on images of noise, the same on every machine.
adapt::Outputs outputs_on_noise(const graph::Graph& graph) {
  adapt::Engine engine(graph, {});
  adapt::Images images;
  images.count = kCheckImages;
  images.load = [](std::size_t index, std::span<float> dst) {
    std::mt19937 random(static_cast<unsigned>(index));
    // Uniform with variance 1, as normalised images have.
    for (float& v : dst) v = (static_cast<float>(random() >> 8U) / 16777216.0f - 0.5f) * 3.4641016f;
  };
  return engine.infer(engine.source(), images, {});
}

}  // namespace

graph::Graph with_statistics(const RestoredModel& model, const stats::Statistics& statistics) {
  graph::Graph graph = model.graph;
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(graph);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    put(graph, layers[i], 3, statistics.at(i).mean);
    put(graph, layers[i], 4, statistics[i].variance);
    if (!statistics[i].plain_affine) continue;
    const auto channels = static_cast<std::size_t>(layers[i].channels);
    put(graph, layers[i], 1, std::vector<double>(channels, 1.0));
    put(graph, layers[i], 2, std::vector<double>(channels, 0.0));
  }
  return graph;
}

graph::Graph without_unfolded(const graph::Graph& graph) {
  graph::Graph out = graph::fold_batch_norms(graph, graph::Folding::unfolded);
  graph::infer_shapes(out);
  return out;
}

graph::Graph folded(const graph::Graph& graph) {
  graph::Graph out = graph::fold_batch_norms(graph);
  graph::infer_shapes(out);
  const adapt::Outputs expected = outputs_on_noise(graph), found = outputs_on_noise(out);
  double largest = 0, apart = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected.values[i])));
    const double difference = std::abs(static_cast<double>(found.values[i]) - static_cast<double>(expected.values[i]));
    apart = std::isfinite(difference) ? std::max(apart, difference) : std::numeric_limits<double>::infinity();
  }
  if (!(apart <= kFoldTolerance * largest))
    throw UnsupportedError(
        fmt::format("folding the BatchNorms changes the outputs by {:.2g} where the largest is {:.2g}; expected less "
                    "than {:g} of it; nothing was written",
                    apart, largest, kFoldTolerance));
  return out;
}

}  // namespace shiftnorm::toolkit
