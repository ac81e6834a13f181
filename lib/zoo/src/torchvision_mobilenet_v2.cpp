#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

constexpr auto kRelu6 = Activation::relu6;

/// Sandler et al. 2018, table 2: expansion, channels, repetitions, stride.
struct Stage {
  std::int64_t expansion, channels, repetitions, stride;
};
constexpr std::array<Stage, 7> kStages{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};

ValueId block(Layers& layers, const std::string& name, ValueId x, std::int64_t in, const Stage& stage,
              std::int64_t stride) {
  const std::int64_t hidden = in * stage.expansion;
  int index = 0;
  const auto next = [&] { return fmt::format("{}.conv.{}", name, index++); };
  ValueId y = x;
  if (hidden != in) y = layers.conv_norm(next(), y, in, hidden, {.kernel = 1}, kRelu6);
  y = layers.conv_norm(next(), y, hidden, hidden, {.kernel = 3, .stride = stride, .groups = hidden}, kRelu6);
  y = layers.conv(next(), y, hidden, stage.channels, {.kernel = 1});
  y = layers.batch_norm(next(), y, stage.channels);
  return stride == 1 && in == stage.channels ? layers.add(name + ".add", x, y) : y;
}

}  // namespace

graph::Graph build_mobilenet_v2(const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  int index = 0;
  const auto next = [&] { return fmt::format("features.{}", index++); };
  x = layers.conv_norm(next(), x, channels, 32, {.kernel = 3, .stride = 2}, kRelu6);
  std::int64_t in = 32;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.repetitions; ++i) {
      x = block(layers, next(), x, in, stage, i == 0 ? stage.stride : 1);
      in = stage.channels;
    }
  }
  x = layers.conv_norm(next(), x, in, 1280, {.kernel = 1}, kRelu6);
  const OwnHead head = one_layer("classifier", 1000, "1");
  graph.set_outputs({add_head(graph, head, layers.pool_and_flatten(x), 1280, options)});
  return graph;
}

}  // namespace shiftnorm::zoo
