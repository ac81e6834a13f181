#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// A block's three by three convolution is `base_width` / 64 as wide as the plain one's, in `groups` groups.
struct Inner {
  std::int64_t groups, base_width;
};

struct Plan {
  int depth;
  bool bottleneck;
  std::array<int, 4> blocks;
};
constexpr std::array<Plan, 5> kPlans{{{18, false, {2, 2, 2, 2}},
                                      {34, false, {3, 4, 6, 3}},
                                      {50, true, {3, 4, 6, 3}},
                                      {101, true, {3, 4, 23, 3}},
                                      {152, true, {3, 8, 36, 3}}}};

constexpr const Plan& plan_of(int depth) {
  for (const Plan& plan : kPlans)
    if (plan.depth == depth) return plan;
  return kPlans.front();
}

ValueId block(Layers& layers, const std::string& name, ValueId x, std::int64_t in, std::int64_t width,
              std::int64_t stride, bool bottleneck, Inner inner) {
  const std::int64_t out = bottleneck ? 4 * width : width;
  width = width * inner.base_width / 64 * inner.groups;
  ValueId y = x;
  if (bottleneck) {
    y = layers.relu(name + ".relu1",
                    layers.batch_norm(name + ".bn1", layers.conv(name + ".conv1", y, in, width, {.kernel = 1}), width));
    y = layers.conv(name + ".conv2", y, width, width,
                    {.kernel = 3, .stride = stride, .padding = 1, .groups = inner.groups});
    y = layers.relu(name + ".relu2", layers.batch_norm(name + ".bn2", y, width));
    y = layers.batch_norm(name + ".bn3", layers.conv(name + ".conv3", y, width, out, {.kernel = 1}), out);
  } else {
    y = layers.conv(name + ".conv1", y, in, width, {.kernel = 3, .stride = stride, .padding = 1});
    y = layers.relu(name + ".relu1", layers.batch_norm(name + ".bn1", y, width));
    y = layers.batch_norm(name + ".bn2", layers.conv(name + ".conv2", y, width, out, {.kernel = 3, .padding = 1}), out);
  }
  if (stride != 1 || in != out) {
    x = layers.conv(name + ".downsample.0", x, in, out, {.kernel = 1, .stride = stride});
    x = layers.batch_norm(name + ".downsample.1", x, out);
  }
  return layers.relu(name + ".relu", layers.add(name + ".add", y, x));
}

graph::Graph build(const Plan& plan, Inner inner, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.conv("conv1", x, channels, 64, {.kernel = 7, .stride = 2, .padding = 3});
  x = layers.max_pool("maxpool", layers.relu("relu", layers.batch_norm("bn1", x, 64)), 3, 2, 1);
  std::int64_t in = 64;
  for (std::size_t stage = 0; stage < plan.blocks.size(); ++stage) {
    const std::int64_t width = std::int64_t{64} << stage;
    for (int i = 0; i < plan.blocks[stage]; ++i) {
      x = block(layers, fmt::format("layer{}.{}", stage + 1, i), x, in, width, stage > 0 && i == 0 ? 2 : 1,
                plan.bottleneck, inner);
      in = plan.bottleneck ? 4 * width : width;
    }
  }
  graph.set_outputs({add_head(graph, one_layer("fc"), layers.pool_and_flatten(x), in, options)});
  return graph;
}

}  // namespace

template <int depth, int groups, int base_width>
graph::Graph build_resnet(const BuildOptions& options) {
  return build(plan_of(depth), {groups, base_width}, options);
}
template graph::Graph build_resnet<18>(const BuildOptions&);
template graph::Graph build_resnet<34>(const BuildOptions&);
template graph::Graph build_resnet<50>(const BuildOptions&);
template graph::Graph build_resnet<101>(const BuildOptions&);
template graph::Graph build_resnet<152>(const BuildOptions&);
template graph::Graph build_resnet<50, 32, 4>(const BuildOptions&);
template graph::Graph build_resnet<101, 32, 8>(const BuildOptions&);
template graph::Graph build_resnet<101, 64, 4>(const BuildOptions&);
template graph::Graph build_resnet<50, 1, 128>(const BuildOptions&);
template graph::Graph build_resnet<101, 1, 128>(const BuildOptions&);

}  // namespace shiftnorm::zoo
