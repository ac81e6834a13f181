#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"
#include "shiftnorm/graph/adaptive_pool.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// Convolutions in each of the five stages, of 64, 128, 256, 512 and 512 channels.
struct Plan {
  int depth;
  std::array<int, 5> convolutions;
};
constexpr std::array<Plan, 4> kPlans{
    {{11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}}};

constexpr const Plan& plan_of(int depth) {
  for (const Plan& plan : kPlans)
    if (plan.depth == depth) return plan;
  return kPlans.front();
}

graph::Graph build(const Plan& plan, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t height = given(options.height, 224), width = given(options.width, 224);
  std::int64_t in = given(options.channels, 3), out = 64;
  ValueId x = graph.add_input("input", Shape{1, in, height, width});
  int index = 0;
  const auto name = [&index] { return fmt::format("features.{}", index++); };
  for (const int convolutions : plan.convolutions) {
    for (int i = 0; i < convolutions; ++i) {
      x = layers.conv(name(), x, in, out, {.kernel = 3, .padding = 1, .bias = true});
      x = layers.batch_norm(name(), x, out);
      x = layers.relu(name(), x);
      in = out;
    }
    x = layers.max_pool(name(), x, 2, 2, 0);
    out = std::min<std::int64_t>(2 * out, 512);
  }
  x = graph::add_adaptive_average_pool(graph, "avgpool", x, {height / 32, width / 32}, {7, 7});
  x = graph.add("Flatten", "flatten", {x});
  const OwnHead head{"classifier", 1000, {{"0", 4096}, {"3", 4096}, {"6", 0}}, Activation::relu};
  graph.set_outputs({add_head(graph, head, x, in * 7 * 7, options)});
  return graph;
}

}  // namespace

template <int depth>
graph::Graph build_vgg_bn(const BuildOptions& options) {
  return build(plan_of(depth), options);
}
template graph::Graph build_vgg_bn<11>(const BuildOptions&);
template graph::Graph build_vgg_bn<13>(const BuildOptions&);
template graph::Graph build_vgg_bn<16>(const BuildOptions&);
template graph::Graph build_vgg_bn<19>(const BuildOptions&);

}  // namespace shiftnorm::zoo
