#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// What the linear rule of Radosavovic et al. 2020 comes to, four stages each.
struct Plan {
  std::array<int, 4> depths;
  std::array<std::int64_t, 4> widths, group_widths;
};

struct Block {
  std::int64_t in, out, stride, group_width;
  bool squeeze;
};

ValueId block(Layers& layers, const std::string& name, ValueId x, const Block& b) {
  constexpr auto kRelu = Activation::relu;
  ValueId y = layers.conv_norm(name + ".f.a", x, b.in, b.out, {.kernel = 1}, kRelu);
  y = layers.conv_norm(name + ".f.b", y, b.out, b.out,
                       {.kernel = 3, .stride = b.stride, .groups = b.out / b.group_width}, kRelu);
  if (b.squeeze) y = layers.squeeze_excite(name + ".f.se", y, b.out, b.in / 4, kRelu, "Sigmoid");
  y = layers.conv_norm(name + ".f.c", y, b.out, b.out, {.kernel = 1}, Activation::none);
  if (b.in != b.out || b.stride != 1)
    x = layers.conv_norm(name + ".proj", x, b.in, b.out, {.kernel = 1, .stride = b.stride}, Activation::none);
  return layers.relu(name + ".activation", layers.add(name + ".add", x, y));
}

graph::Graph build(const Plan& plan, bool squeeze, const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.conv_norm("stem", x, channels, 32, {.kernel = 3, .stride = 2}, Activation::relu);
  std::int64_t in = 32;
  for (std::size_t s = 0; s < plan.depths.size(); ++s) {
    for (int i = 0; i < plan.depths[s]; ++i) {
      x = block(layers, fmt::format("trunk_output.block{}.block{}-{}", s + 1, s + 1, i), x,
                {in, plan.widths[s], i == 0 ? 2 : 1, plan.group_widths[s], squeeze});
      in = plan.widths[s];
    }
  }
  graph.set_outputs({add_head(graph, one_layer("fc"), layers.pool_and_flatten(x), in, options)});
  return graph;
}

constexpr std::array<Plan, 7> kX{{{{1, 2, 7, 12}, {32, 64, 160, 400}, {16, 16, 16, 16}},
                                  {{1, 3, 7, 5}, {64, 128, 288, 672}, {16, 16, 16, 16}},
                                  {{2, 4, 10, 2}, {72, 168, 408, 912}, {24, 24, 24, 24}},
                                  {{2, 6, 15, 2}, {96, 192, 432, 1008}, {48, 48, 48, 48}},
                                  {{2, 5, 15, 1}, {80, 240, 720, 1920}, {80, 120, 120, 120}},
                                  {{2, 6, 13, 1}, {256, 512, 896, 2048}, {128, 128, 128, 128}},
                                  {{2, 7, 13, 1}, {336, 672, 1344, 2520}, {168, 168, 168, 168}}}};
constexpr std::array<Plan, 8> kY{{{{1, 3, 6, 6}, {48, 104, 208, 440}, {8, 8, 8, 8}},
                                  {{1, 3, 8, 2}, {64, 144, 320, 784}, {16, 16, 16, 16}},
                                  {{2, 6, 17, 2}, {48, 120, 336, 888}, {24, 24, 24, 24}},
                                  {{2, 5, 13, 1}, {72, 216, 576, 1512}, {24, 24, 24, 24}},
                                  {{2, 4, 10, 1}, {224, 448, 896, 2016}, {56, 56, 56, 56}},
                                  {{2, 4, 11, 1}, {224, 448, 1232, 3024}, {112, 112, 112, 112}},
                                  {{2, 5, 12, 1}, {232, 696, 1392, 3712}, {232, 232, 232, 232}},
                                  {{2, 7, 17, 1}, {528, 1056, 2904, 7392}, {264, 264, 264, 264}}}};

}  // namespace

template <std::size_t size>
graph::Graph build_regnet_x(const BuildOptions& options) {
  return build(kX[size], false, options);
}
template <std::size_t size>
graph::Graph build_regnet_y(const BuildOptions& options) {
  return build(kY[size], true, options);
}
template graph::Graph build_regnet_x<0>(const BuildOptions&);
template graph::Graph build_regnet_x<1>(const BuildOptions&);
template graph::Graph build_regnet_x<2>(const BuildOptions&);
template graph::Graph build_regnet_x<3>(const BuildOptions&);
template graph::Graph build_regnet_x<4>(const BuildOptions&);
template graph::Graph build_regnet_x<5>(const BuildOptions&);
template graph::Graph build_regnet_x<6>(const BuildOptions&);
template graph::Graph build_regnet_y<0>(const BuildOptions&);
template graph::Graph build_regnet_y<1>(const BuildOptions&);
template graph::Graph build_regnet_y<2>(const BuildOptions&);
template graph::Graph build_regnet_y<3>(const BuildOptions&);
template graph::Graph build_regnet_y<4>(const BuildOptions&);
template graph::Graph build_regnet_y<5>(const BuildOptions&);
template graph::Graph build_regnet_y<6>(const BuildOptions&);
template graph::Graph build_regnet_y<7>(const BuildOptions&);

}  // namespace shiftnorm::zoo
