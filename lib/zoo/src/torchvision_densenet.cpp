#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

struct Plan {
  int depth;
  std::int64_t growth, first;
  std::array<int, 4> blocks;
};
constexpr std::array<Plan, 4> kPlans{{{121, 32, 64, {6, 12, 24, 16}},
                                      {161, 48, 96, {6, 12, 36, 24}},
                                      {169, 32, 64, {6, 12, 32, 32}},
                                      {201, 32, 64, {6, 12, 48, 32}}}};

constexpr const Plan& plan_of(int depth) {
  for (const Plan& plan : kPlans)
    if (plan.depth == depth) return plan;
  return kPlans.front();
}

/// BatchNorm, ReLU, convolution: the order of pre-activation.
ValueId unit(Layers& layers, const std::string& prefix, const std::string& suffix, ValueId x, std::int64_t in,
             std::int64_t out, const Layers::ConvOptions& options) {
  x = layers.relu(prefix + "relu" + suffix, layers.batch_norm(prefix + "norm" + suffix, x, in));
  return layers.conv(prefix + "conv" + suffix, x, in, out, options);
}

graph::Graph build(const Plan& plan, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.conv("features.conv0", x, channels, plan.first, {.kernel = 7, .stride = 2, .padding = 3});
  x = layers.relu("features.relu0", layers.batch_norm("features.norm0", x, plan.first));
  x = layers.max_pool("features.pool0", x, 3, 2, 1);
  std::int64_t in = plan.first;
  for (std::size_t block = 0; block < plan.blocks.size(); ++block) {
    for (int i = 0; i < plan.blocks[block]; ++i) {
      const std::string name = fmt::format("features.denseblock{}.denselayer{}.", block + 1, i + 1);
      ValueId fresh = unit(layers, name, "1", x, in, 4 * plan.growth, {.kernel = 1});
      fresh = unit(layers, name, "2", fresh, 4 * plan.growth, plan.growth, {.kernel = 3, .padding = 1});
      x = layers.concat(name + "concat", {x, fresh});
      in += plan.growth;
    }
    if (block + 1 == plan.blocks.size()) break;
    const std::string name = fmt::format("features.transition{}.", block + 1);
    x = layers.average_pool(name + "pool", unit(layers, name, "", x, in, in / 2, {.kernel = 1}), 2, 2);
    in /= 2;
  }
  x = layers.relu("features.relu5", layers.batch_norm("features.norm5", x, in));
  graph.set_outputs({layers.linear("classifier", layers.pool_and_flatten(x), in, given(options.classes, 1000))});
  return graph;
}

}  // namespace

template <int depth>
graph::Graph build_densenet(const BuildOptions& options) {
  return build(plan_of(depth), options);
}
template graph::Graph build_densenet<121>(const BuildOptions&);
template graph::Graph build_densenet<161>(const BuildOptions&);
template graph::Graph build_densenet<169>(const BuildOptions&);
template graph::Graph build_densenet<201>(const BuildOptions&);

}  // namespace shiftnorm::zoo
