#include <fmt/format.h>

#include <array>
#include <span>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

constexpr Norm kNorm{1e-3f, 0.01f};

/// Howard et al. 2019, tables 1 and 2.
struct Block {
  std::int64_t kernel, expanded, out;
  bool squeeze;
  Activation activation;
  std::int64_t stride;
};
constexpr auto kRe = Activation::relu, kHs = Activation::hard_swish;
constexpr std::array<Block, 15> kLarge{{{3, 16, 16, false, kRe, 1},
                                        {3, 64, 24, false, kRe, 2},
                                        {3, 72, 24, false, kRe, 1},
                                        {5, 72, 40, true, kRe, 2},
                                        {5, 120, 40, true, kRe, 1},
                                        {5, 120, 40, true, kRe, 1},
                                        {3, 240, 80, false, kHs, 2},
                                        {3, 200, 80, false, kHs, 1},
                                        {3, 184, 80, false, kHs, 1},
                                        {3, 184, 80, false, kHs, 1},
                                        {3, 480, 112, true, kHs, 1},
                                        {3, 672, 112, true, kHs, 1},
                                        {5, 672, 160, true, kHs, 2},
                                        {5, 960, 160, true, kHs, 1},
                                        {5, 960, 160, true, kHs, 1}}};
constexpr std::array<Block, 11> kSmall{{{3, 16, 16, true, kRe, 2},
                                        {3, 72, 24, false, kRe, 2},
                                        {3, 88, 24, false, kRe, 1},
                                        {5, 96, 40, true, kHs, 2},
                                        {5, 240, 40, true, kHs, 1},
                                        {5, 240, 40, true, kHs, 1},
                                        {5, 120, 48, true, kHs, 1},
                                        {5, 144, 48, true, kHs, 1},
                                        {5, 288, 96, true, kHs, 2},
                                        {5, 576, 96, true, kHs, 1},
                                        {5, 576, 96, true, kHs, 1}}};

ValueId block(Layers& layers, const std::string& name, ValueId x, std::int64_t in, const Block& b) {
  int index = 0;
  const auto next = [&] { return fmt::format("{}.block.{}", name, index++); };
  ValueId y = x;
  if (b.expanded != in) y = layers.conv_norm(next(), y, in, b.expanded, {.kernel = 1}, b.activation, kNorm);
  y = layers.conv_norm(next(), y, b.expanded, b.expanded,
                       {.kernel = b.kernel, .stride = b.stride, .groups = b.expanded}, b.activation, kNorm);
  if (b.squeeze)
    y = layers.squeeze_excite(next(), y, b.expanded, round_channels(static_cast<double>(b.expanded / 4)), kRe,
                              "HardSigmoid");
  y = layers.conv_norm(next(), y, b.expanded, b.out, {.kernel = 1}, Activation::none, kNorm);
  return b.stride == 1 && in == b.out ? layers.add(name + ".add", y, x) : y;
}

graph::Graph build(std::span<const Block> blocks, std::int64_t last, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  int index = 0;
  const auto next = [&] { return fmt::format("features.{}", index++); };
  x = layers.conv_norm(next(), x, channels, 16, {.kernel = 3, .stride = 2}, kHs, kNorm);
  std::int64_t in = 16;
  for (const Block& b : blocks) {
    x = block(layers, next(), x, in, b);
    in = b.out;
  }
  x = layers.conv_norm(next(), x, in, 6 * in, {.kernel = 1}, kHs, kNorm);
  const OwnHead head{"classifier", 1000, {{"0", last}, {"3", 0}}, kHs};
  graph.set_outputs({add_head(graph, head, layers.pool_and_flatten(x), 6 * in, options)});
  return graph;
}

}  // namespace

graph::Graph build_mobilenet_v3_large(const BuildOptions& options) { return build(kLarge, 1280, options); }
graph::Graph build_mobilenet_v3_small(const BuildOptions& options) { return build(kSmall, 1024, options); }

}  // namespace shiftnorm::zoo
