#include <fmt/format.h>

#include <limits>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

/// Option A of He et al. 2016: every second pixel, new channels filled with zeros on both sides.
ValueId shortcut(graph::Graph& graph, const std::string& name, ValueId x, std::int64_t extra) {
  constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  const ValueId starts = graph.add_constant(name + ".starts", {0, 0}),
                ends = graph.add_constant(name + ".ends", {kEnd, kEnd});
  const ValueId axes = graph.add_constant(name + ".axes", {2, 3}), steps = graph.add_constant(name + ".steps", {2, 2});
  const ValueId sampled = graph.add("Slice", name + ".slice", {x, starts, ends, axes, steps});
  return graph.add("Pad", name + ".pad",
                   {sampled, graph.add_constant(name + ".pads", {0, extra / 2, 0, 0, 0, extra - extra / 2, 0, 0})});
}

ValueId block(graph::Graph& graph, Layers& layers, const std::string& name, ValueId x, std::int64_t in,
              std::int64_t out, std::int64_t stride) {
  ValueId y = layers.conv(name + ".conv1", x, in, out, {.kernel = 3, .stride = stride, .padding = 1});
  y = layers.relu(name + ".relu1", layers.batch_norm(name + ".bn1", y, out));
  y = layers.conv(name + ".conv2", y, out, out, {.kernel = 3, .padding = 1});
  y = layers.batch_norm(name + ".bn2", y, out);
  if (in != out) x = shortcut(graph, name + ".shortcut", x, out - in);
  return layers.relu(name + ".relu2", layers.add(name + ".add", y, x));
}

graph::Graph build(int depth, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 32), given(options.width, 32)});
  x = layers.relu("relu",
                  layers.batch_norm("bn1", layers.conv("conv1", x, channels, 16, {.kernel = 3, .padding = 1}), 16));
  std::int64_t in = 16;
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t out = std::int64_t{16} << (stage - 1);
    for (int i = 0; i < (depth - 2) / 6; ++i) {
      x = block(graph, layers, fmt::format("layer{}.{}", stage, i), x, in, out, stage > 1 && i == 0 ? 2 : 1);
      in = out;
    }
  }
  graph.set_outputs({add_head(graph, one_layer("linear", 10), layers.pool_and_flatten(x), 64, options)});
  return graph;
}

}  // namespace

template <int depth>
graph::Graph build_cifar_resnet(const BuildOptions& options) {
  return build(depth, options);
}
template graph::Graph build_cifar_resnet<20>(const BuildOptions&);
template graph::Graph build_cifar_resnet<32>(const BuildOptions&);
template graph::Graph build_cifar_resnet<44>(const BuildOptions&);
template graph::Graph build_cifar_resnet<56>(const BuildOptions&);
template graph::Graph build_cifar_resnet<110>(const BuildOptions&);

}  // namespace shiftnorm::zoo
