#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

constexpr auto kSilu = Activation::silu;

/// Tan and Le 2019, table 1; 2021, table 4. A fused block has one full convolution in place of two.
struct Stage {
  bool fused;
  std::int64_t expansion, kernel, stride, in, out, repetitions;
};
constexpr std::array<Stage, 7> kStages{{{false, 1, 3, 1, 32, 16, 1},
                                        {false, 6, 3, 2, 16, 24, 2},
                                        {false, 6, 5, 2, 24, 40, 2},
                                        {false, 6, 3, 2, 40, 80, 3},
                                        {false, 6, 5, 1, 80, 112, 3},
                                        {false, 6, 5, 2, 112, 192, 4},
                                        {false, 6, 3, 1, 192, 320, 1}}};
constexpr std::array<Stage, 6> kStagesS{{{true, 1, 3, 1, 24, 24, 2},
                                         {true, 4, 3, 2, 24, 48, 4},
                                         {true, 4, 3, 2, 48, 64, 4},
                                         {false, 4, 3, 2, 64, 128, 6},
                                         {false, 6, 3, 1, 128, 160, 9},
                                         {false, 6, 3, 2, 160, 256, 15}}};
constexpr std::array<Stage, 7> kStagesM{{{true, 1, 3, 1, 24, 24, 3},
                                         {true, 4, 3, 2, 24, 48, 5},
                                         {true, 4, 3, 2, 48, 80, 5},
                                         {false, 4, 3, 2, 80, 160, 7},
                                         {false, 6, 3, 1, 160, 176, 14},
                                         {false, 6, 3, 2, 176, 304, 18},
                                         {false, 6, 3, 1, 304, 512, 5}}};
constexpr std::array<Stage, 7> kStagesL{{{true, 1, 3, 1, 32, 32, 4},
                                         {true, 4, 3, 2, 32, 64, 7},
                                         {true, 4, 3, 2, 64, 96, 7},
                                         {false, 4, 3, 2, 96, 192, 10},
                                         {false, 6, 3, 1, 192, 224, 19},
                                         {false, 6, 3, 2, 224, 384, 25},
                                         {false, 6, 3, 1, 384, 640, 7}}};

struct Plan {
  std::span<const Stage> stages;
  double width, depth;  ///< multipliers
  Norm norm;
  std::int64_t last, side;  ///< channels of the last convolution, 0: four times those before it
};
constexpr Norm kEarly{}, kLate{1e-3f, 0.01f}, kV2{1e-3f, 0.1f};
constexpr std::array<Plan, 8> kPlans{{{kStages, 1.0, 1.0, kEarly, 0, 224},
                                      {kStages, 1.0, 1.1, kEarly, 0, 240},
                                      {kStages, 1.1, 1.2, kEarly, 0, 288},
                                      {kStages, 1.2, 1.4, kEarly, 0, 300},
                                      {kStages, 1.4, 1.8, kEarly, 0, 380},
                                      {kStages, 1.6, 2.2, kLate, 0, 456},
                                      {kStages, 1.8, 2.6, kLate, 0, 528},
                                      {kStages, 2.0, 3.1, kLate, 0, 600}}};

ValueId block(Layers& layers, const std::string& name, ValueId x, const Stage& s, const Norm& norm) {
  int index = 0;
  const auto next = [&] { return fmt::format("{}.block.{}", name, index++); };
  const std::int64_t expanded = round_channels(static_cast<double>(s.in * s.expansion));
  ValueId y = x;
  if (s.fused) {
    const bool narrow = expanded == s.in;
    y = layers.conv_norm(next(), y, s.in, narrow ? s.out : expanded, {.kernel = s.kernel, .stride = s.stride}, kSilu,
                         norm);
    if (!narrow) y = layers.conv_norm(next(), y, expanded, s.out, {.kernel = 1}, Activation::none, norm);
  } else {
    if (expanded != s.in) y = layers.conv_norm(next(), y, s.in, expanded, {.kernel = 1}, kSilu, norm);
    y = layers.conv_norm(next(), y, expanded, expanded, {.kernel = s.kernel, .stride = s.stride, .groups = expanded},
                         kSilu, norm);
    y = layers.squeeze_excite(next(), y, expanded, std::max<std::int64_t>(1, s.in / 4), kSilu, "Sigmoid");
    y = layers.conv_norm(next(), y, expanded, s.out, {.kernel = 1}, Activation::none, norm);
  }
  return s.stride == 1 && s.in == s.out ? layers.add(name + ".add", y, x) : y;
}

graph::Graph build(const Plan& plan, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const auto scaled = [&plan](std::int64_t channels) {
    return round_channels(static_cast<double>(channels) * plan.width);
  };
  const std::int64_t channels = given(options.channels, 3);
  ValueId x =
      graph.add_input("input", Shape{1, channels, given(options.height, plan.side), given(options.width, plan.side)});
  std::int64_t in = scaled(plan.stages.front().in);
  x = layers.conv_norm("features.0", x, channels, in, {.kernel = 3, .stride = 2}, kSilu, plan.norm);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    Stage stage = plan.stages[s];
    stage.out = scaled(stage.out);
    const auto repetitions = static_cast<int>(std::ceil(static_cast<double>(stage.repetitions) * plan.depth));
    for (int i = 0; i < repetitions; ++i) {
      stage.in = in;
      x = block(layers, fmt::format("features.{}.{}", s + 1, i), x, stage, plan.norm);
      in = stage.out;
      stage.stride = 1;
    }
  }
  const std::int64_t last = given(plan.last, 4 * in);
  x = layers.conv_norm(fmt::format("features.{}", plan.stages.size() + 1), x, in, last, {.kernel = 1}, kSilu,
                       plan.norm);
  const OwnHead head = one_layer("classifier", 1000, "1");
  graph.set_outputs({add_head(graph, head, layers.pool_and_flatten(x), last, options)});
  return graph;
}

}  // namespace

template <int number>
graph::Graph build_efficientnet_b(const BuildOptions& options) {
  return build(kPlans[number], options);
}
template graph::Graph build_efficientnet_b<0>(const BuildOptions&);
template graph::Graph build_efficientnet_b<1>(const BuildOptions&);
template graph::Graph build_efficientnet_b<2>(const BuildOptions&);
template graph::Graph build_efficientnet_b<3>(const BuildOptions&);
template graph::Graph build_efficientnet_b<4>(const BuildOptions&);
template graph::Graph build_efficientnet_b<5>(const BuildOptions&);
template graph::Graph build_efficientnet_b<6>(const BuildOptions&);
template graph::Graph build_efficientnet_b<7>(const BuildOptions&);

graph::Graph build_efficientnet_v2_s(const BuildOptions& options) {
  return build({kStagesS, 1.0, 1.0, kV2, 1280, 384}, options);
}
graph::Graph build_efficientnet_v2_m(const BuildOptions& options) {
  return build({kStagesM, 1.0, 1.0, kV2, 1280, 480}, options);
}
graph::Graph build_efficientnet_v2_l(const BuildOptions& options) {
  return build({kStagesL, 1.0, 1.0, kV2, 1280, 480}, options);
}

}  // namespace shiftnorm::zoo
