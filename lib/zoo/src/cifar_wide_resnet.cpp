#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// BatchNorm and ReLU first (He et al. 2016, identity mappings). Where the width or the stride changes, the shortcut
/// starts behind them.
ValueId block(Layers& layers, const std::string& name, ValueId x, std::int64_t in, std::int64_t out,
              std::int64_t stride) {
  const ValueId ready = layers.relu(name + ".relu1", layers.batch_norm(name + ".bn1", x, in));
  ValueId y = layers.conv(name + ".conv1", ready, in, out, {.kernel = 3, .stride = stride, .padding = 1});
  y = layers.relu(name + ".relu2", layers.batch_norm(name + ".bn2", y, out));
  y = layers.conv(name + ".conv2", y, out, out, {.kernel = 3, .padding = 1});
  if (in != out) x = layers.conv(name + ".convShortcut", ready, in, out, {.kernel = 1, .stride = stride});
  return layers.add(name + ".add", x, y);
}

}  // namespace

template <int depth, int widen>
graph::Graph build_cifar_wide_resnet(const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 32), given(options.width, 32)});
  x = layers.conv("conv1", x, channels, 16, {.kernel = 3, .padding = 1});
  std::int64_t in = 16;
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t out = (std::int64_t{8} << stage) * widen;
    for (int i = 0; i < (depth - 4) / 6; ++i) {
      x = block(layers, fmt::format("block{}.layer.{}", stage, i), x, in, out, stage > 1 && i == 0 ? 2 : 1);
      in = out;
    }
  }
  x = layers.relu("relu", layers.batch_norm("bn1", x, in));
  graph.set_outputs({add_head(graph, one_layer("fc", 10), layers.pool_and_flatten(x), in, options)});
  return graph;
}
template graph::Graph build_cifar_wide_resnet<28, 10>(const BuildOptions&);
template graph::Graph build_cifar_wide_resnet<40, 2>(const BuildOptions&);

}  // namespace shiftnorm::zoo
