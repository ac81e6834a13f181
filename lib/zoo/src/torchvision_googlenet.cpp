#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// Szegedy et al. 2015, table 1: channels of the four branches.
struct Block {
  const char* name;
  std::int64_t one, reduce3, three, reduce5, five, pool;
  std::int64_t pool_after;  ///< window of the pooling that follows; 0: none
};
constexpr std::array<Block, 9> kBlocks{{{"inception3a", 64, 96, 128, 16, 32, 32, 0},
                                        {"inception3b", 128, 128, 192, 32, 96, 64, 3},
                                        {"inception4a", 192, 96, 208, 16, 48, 64, 0},
                                        {"inception4b", 160, 112, 224, 24, 64, 64, 0},
                                        {"inception4c", 128, 128, 256, 24, 64, 64, 0},
                                        {"inception4d", 112, 144, 288, 32, 64, 64, 0},
                                        {"inception4e", 256, 160, 320, 32, 128, 128, 2},
                                        {"inception5a", 256, 160, 320, 32, 128, 128, 0},
                                        {"inception5b", 384, 192, 384, 48, 128, 128, 0}}};

ValueId block(Layers& layers, ValueId x, std::int64_t in, const Block& b) {
  const std::string name = b.name;
  const ValueId one = layers.basic_conv(name + ".branch1", x, in, b.one, {.kernel = 1});
  ValueId three = layers.basic_conv(name + ".branch2.0", x, in, b.reduce3, {.kernel = 1});
  three = layers.basic_conv(name + ".branch2.1", three, b.reduce3, b.three, {.kernel = 3, .padding = 1});
  // Three by three in the branch of five by five: published weights need it (torchvision's issue 906).
  ValueId five = layers.basic_conv(name + ".branch3.0", x, in, b.reduce5, {.kernel = 1});
  five = layers.basic_conv(name + ".branch3.1", five, b.reduce5, b.five, {.kernel = 3, .padding = 1});
  ValueId pool = layers.max_pool(name + ".branch4.0", x, 3, 1, 1, true);
  pool = layers.basic_conv(name + ".branch4.1", pool, in, b.pool, {.kernel = 1});
  return layers.concat(name + ".concat", {one, three, five, pool});
}

}  // namespace

graph::Graph build_googlenet(const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 224), given(options.width, 224)});
  x = layers.basic_conv("conv1", x, channels, 64, {.kernel = 7, .stride = 2, .padding = 3});
  x = layers.max_pool("maxpool1", x, 3, 2, 0, true);
  x = layers.basic_conv("conv2", x, 64, 64, {.kernel = 1});
  x = layers.basic_conv("conv3", x, 64, 192, {.kernel = 3, .padding = 1});
  x = layers.max_pool("maxpool2", x, 3, 2, 0, true);
  std::int64_t in = 192;
  for (const Block& b : kBlocks) {
    x = block(layers, x, in, b);
    in = b.one + b.three + b.five + b.pool;
    if (b.pool_after != 0) x = layers.max_pool(std::string(b.name) + ".maxpool", x, b.pool_after, 2, 0, true);
  }
  graph.set_outputs({add_head(graph, one_layer("fc"), layers.pool_and_flatten(x), in, options)});
  return graph;
}

}  // namespace shiftnorm::zoo
