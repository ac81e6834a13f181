#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// TensorFlow's 0.9997 the other way round.
constexpr float kMomentum = 3e-4f;

/// Tan et al. 2019, the B1 variant: channels, kernel, stride, expansion, repetitions.
struct Stage {
  std::int64_t channels, kernel, stride, expansion, repetitions;
};
constexpr std::array<Stage, 6> kStages{
    {{24, 3, 2, 3, 3}, {40, 5, 2, 3, 3}, {80, 5, 2, 6, 3}, {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}}};

/// Convolution and BatchNorm number `index` and the next of a Sequential.
ValueId unit(Layers& layers, const std::string& name, int index, ValueId x, std::int64_t in, std::int64_t out,
             const Layers::ConvOptions& options) {
  x = layers.conv(fmt::format("{}.{}", name, index), x, in, out, options);
  return layers.batch_norm(fmt::format("{}.{}", name, index + 1), x, out, 1e-5f, kMomentum);
}

ValueId block(Layers& layers, const std::string& name, ValueId x, std::int64_t in, const Stage& stage, std::int64_t out,
              std::int64_t stride) {
  const std::int64_t middle = in * stage.expansion;
  const std::string inner = name + ".layers";
  ValueId y = layers.relu(inner + ".2", unit(layers, inner, 0, x, in, middle, {.kernel = 1}));
  y = unit(layers, inner, 3, y, middle, middle,
           {.kernel = stage.kernel, .stride = stride, .padding = stage.kernel / 2, .groups = middle});
  y = unit(layers, inner, 6, layers.relu(inner + ".5", y), middle, out, {.kernel = 1});
  return stride == 1 && in == out ? layers.add(name + ".add", y, x) : y;
}

}  // namespace

template <int percent>
graph::Graph build_mnasnet(const BuildOptions& options) {
  const auto scaled = [](std::int64_t channels) {
    return round_channels(static_cast<double>(channels) * percent / 100.0);
  };
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3), first = scaled(32);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.relu("layers.2", unit(layers, "layers", 0, x, channels, first, {.kernel = 3, .stride = 2, .padding = 1}));
  x = unit(layers, "layers", 3, x, first, first, {.kernel = 3, .padding = 1, .groups = first});
  x = unit(layers, "layers", 6, layers.relu("layers.5", x), first, scaled(16), {.kernel = 1});
  std::int64_t in = scaled(16);
  for (std::size_t s = 0; s < kStages.size(); ++s) {
    for (std::int64_t i = 0; i < kStages[s].repetitions; ++i) {
      const std::int64_t out = scaled(kStages[s].channels);
      x = block(layers, fmt::format("layers.{}.{}", s + 8, i), x, in, kStages[s], out, i == 0 ? kStages[s].stride : 1);
      in = out;
    }
  }
  x = layers.relu("layers.16", unit(layers, "layers", 14, x, in, 1280, {.kernel = 1}));
  const OwnHead head = one_layer("classifier", 1000, "1");
  graph.set_outputs({add_head(graph, head, layers.pool_and_flatten(x), 1280, options)});
  return graph;
}
template graph::Graph build_mnasnet<50>(const BuildOptions&);
template graph::Graph build_mnasnet<75>(const BuildOptions&);
template graph::Graph build_mnasnet<100>(const BuildOptions&);
template graph::Graph build_mnasnet<130>(const BuildOptions&);

}  // namespace shiftnorm::zoo
