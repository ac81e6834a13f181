#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "folded_mark.hpp"
#include "rebuild.hpp"
#include "shiftnorm/graph/fold.hpp"

namespace shiftnorm::graph {
namespace {

constexpr double kDelta = 1e-5;  // of the median variance: docs/reference/estimators.md#folded-networks

constexpr std::array<std::string_view, 5> kWeighted{"BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul"};

bool weighted(const Node& node) { return std::find(kWeighted.begin(), kWeighted.end(), node.op) != kWeighted.end(); }

bool bound(const Graph& graph, const Node& node, std::size_t input) {
  return node.inputs.size() > input && node.inputs[input] != kNone &&
         graph.value(node.inputs[input]).tensor.has_value();
}

bool pixel_map(const Graph& graph, ValueId id) {
  const std::optional<Shape>& shape = graph.value(id).shape;
  return shape && shape->elements_from(2) == 1;
}

/// Values from which an output is reached through nodes without weights.
std::vector<bool> feeds_output(const Graph& graph) {
  std::vector<bool> feeds(graph.values(), false);
  for (const ValueId id : graph.outputs()) feeds[static_cast<std::size_t>(id)] = true;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    const bool on = std::any_of(node->outputs.begin(), node->outputs.end(),
                                [&](ValueId id) { return id != kNone && feeds[static_cast<std::size_t>(id)]; });
    if (!on || weighted(*node)) continue;
    for (const ValueId id : node->inputs)
      if (id != kNone) feeds[static_cast<std::size_t>(id)] = true;
  }
  return feeds;
}

std::vector<bool> feeds_norm(const Graph& graph) {
  std::vector<bool> feeds(graph.values(), false);
  for (const Node& node : graph.nodes())
    if (node.op == "BatchNormalization") feeds[static_cast<std::size_t>(node.inputs.at(0))] = true;
  return feeds;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Never 0, so that a layer of constants, whose variances are all 0, keeps a factor of 1.
double delta_of(const std::vector<double>& variance) { return std::max(kDelta * median(variance), 1e-20); }

ValueId add_vector(Graph& graph, const std::string& name, const std::vector<double>& values) {
  const Shape shape{static_cast<std::int64_t>(values.size())};
  const ValueId id = graph.add_parameter(name, shape);
  graph.value(id).tensor = Tensor(Array::from_doubles(shape, values));
  return id;
}

}  // namespace

std::vector<FoldedLayer> folded_layers(const Graph& graph) {
  const std::vector<bool> last = feeds_output(graph), normed = feeds_norm(graph);
  std::vector<FoldedLayer> layers;
  for (const Node& node : graph.nodes()) {
    if (node.op != "Conv" || !bound(graph, node, 1) || !bound(graph, node, 2)) continue;
    const auto output = static_cast<std::size_t>(node.outputs.front());
    if (last[output] || normed[output] || pixel_map(graph, node.inputs[0])) continue;
    layers.push_back({node.name, node.outputs.front(), graph.value(node.inputs[1]).shape->extents().front(), {}, {}});
  }
  return layers;
}

void unfold(Graph& graph, std::span<const FoldedLayer> layers) {
  for (const FoldedLayer& layer : layers) {
    const auto channels = static_cast<std::size_t>(layer.channels);
    std::vector<double> mean = layer.mean, variance = layer.variance, gamma(channels, 1.0);
    double delta = 0;
    if (mean.empty()) {
      mean.assign(channels, 0.0);
      variance.assign(channels, 1.0);
    } else {
      // As the attribute will hold it, so that the layer does nothing under its own statistics.
      delta = static_cast<double>(static_cast<float>(delta_of(variance)));
      for (std::size_t c = 0; c < channels; ++c) gamma[c] = std::sqrt(variance[c] + delta);
    }
    const auto vector = [&](const char* part, const std::vector<double>& values) {
      return add_vector(graph, fmt::format("{}.folded_{}", layer.name, part), values);
    };
    graph.insert_behind(
        layer.output, "BatchNormalization", layer.name + ".folded",
        {vector("scale", gamma), vector("bias", mean), vector("mean", mean), vector("variance", variance)},
        {{"epsilon", static_cast<float>(delta)}, {std::string(kFolded), std::int64_t{1}}});
  }
}

}  // namespace shiftnorm::graph
