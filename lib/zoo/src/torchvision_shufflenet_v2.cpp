#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

constexpr std::array<int, 3> kRepeats{4, 8, 4};

struct Plan {
  int percent;
  std::array<std::int64_t, 5> channels;  ///< stem, stages 2 to 4, last convolution
};
constexpr std::array<Plan, 4> kPlans{{{50, {24, 48, 96, 192, 1024}},
                                      {100, {24, 116, 232, 464, 1024}},
                                      {150, {24, 176, 352, 704, 1024}},
                                      {200, {24, 244, 488, 976, 2048}}}};

constexpr const Plan& plan_of(int percent) {
  for (const Plan& plan : kPlans)
    if (plan.percent == percent) return plan;
  return kPlans.front();
}

/// Convolution and BatchNorm number `index` and the next of a Sequential.
ValueId unit(Layers& layers, const std::string& name, int index, ValueId x, std::int64_t in, std::int64_t out,
             const Layers::ConvOptions& options) {
  x = layers.conv(fmt::format("{}.{}", name, index), x, in, out, options);
  return layers.batch_norm(fmt::format("{}.{}", name, index + 1), x, out);
}

ValueId channels_of(graph::Graph& graph, const std::string& name, ValueId x, std::int64_t from, std::int64_t to) {
  return graph.add("Slice", name,
                   {x, graph.add_constant(name + ".starts", {from}), graph.add_constant(name + ".ends", {to}),
                    graph.add_constant(name + ".axes", {1})});
}

/// Both halves in turn: channel 0 of each, channel 1 of each and so on.
ValueId shuffle(graph::Graph& graph, const std::string& name, ValueId x, std::int64_t channels) {
  std::vector<std::int64_t> order;
  for (std::int64_t c = 0; c < channels; ++c) order.push_back(c % 2 * (channels / 2) + c / 2);
  return graph.add("Gather", name, {x, graph.add_constant(name + ".order", std::move(order))},
                   {{"axis", std::int64_t{1}}});
}

ValueId block(graph::Graph& graph, Layers& layers, const std::string& name, ValueId x, std::int64_t in,
              std::int64_t out, std::int64_t stride) {
  const std::int64_t half = out / 2;
  ValueId left = x, right = x;
  std::int64_t entering = in;
  if (stride == 1) {
    left = channels_of(graph, name + ".left", x, 0, half);
    right = channels_of(graph, name + ".right", x, half, out);
    entering = half;
  } else {
    const std::string branch = name + ".branch1";
    left = unit(layers, branch, 0, x, in, in, {.kernel = 3, .stride = stride, .padding = 1, .groups = in});
    left = layers.relu(branch + ".4", unit(layers, branch, 2, left, in, half, {.kernel = 1}));
  }
  const std::string branch = name + ".branch2";
  right = layers.relu(branch + ".2", unit(layers, branch, 0, right, entering, half, {.kernel = 1}));
  right = unit(layers, branch, 3, right, half, half, {.kernel = 3, .stride = stride, .padding = 1, .groups = half});
  right = layers.relu(branch + ".7", unit(layers, branch, 5, right, half, half, {.kernel = 1}));
  return shuffle(graph, name + ".shuffle", layers.concat(name + ".concat", {left, right}), out);
}

}  // namespace

template <int percent>
graph::Graph build_shufflenet_v2(const BuildOptions& options) {
  constexpr const Plan& kPlan = plan_of(percent);
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  std::int64_t in = kPlan.channels[0];
  x = unit(layers, "conv1", 0, x, channels, in, {.kernel = 3, .stride = 2, .padding = 1});
  x = layers.max_pool("maxpool", layers.relu("conv1.2", x), 3, 2, 1);
  for (std::size_t stage = 0; stage < kRepeats.size(); ++stage) {
    for (int i = 0; i < kRepeats[stage]; ++i) {
      const std::int64_t out = kPlan.channels[stage + 1];
      x = block(graph, layers, fmt::format("stage{}.{}", stage + 2, i), x, in, out, i == 0 ? 2 : 1);
      in = out;
    }
  }
  x = layers.relu("conv5.2", unit(layers, "conv5", 0, x, in, kPlan.channels[4], {.kernel = 1}));
  graph.set_outputs({add_head(graph, one_layer("fc"), layers.pool_and_flatten(x), kPlan.channels[4], options)});
  return graph;
}
template graph::Graph build_shufflenet_v2<50>(const BuildOptions&);
template graph::Graph build_shufflenet_v2<100>(const BuildOptions&);
template graph::Graph build_shufflenet_v2<150>(const BuildOptions&);
template graph::Graph build_shufflenet_v2<200>(const BuildOptions&);

}  // namespace shiftnorm::zoo
