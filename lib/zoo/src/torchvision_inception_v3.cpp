#include <fmt/format.h>

#include <array>

#include "families.hpp"
#include "head.hpp"
#include "layers.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

using Options = Layers::ConvOptions;
constexpr Options kPoint{.kernel = 1}, kThree{.kernel = 3, .padding = 1}, kHalve{.kernel = 3, .stride = 2};

/// One row and `n` columns, padded to keep the size; and its transpose.
constexpr Options row(std::int64_t n) { return {.kernel = 1, .kernel_w = n, .padding_w = n / 2}; }
constexpr Options column(std::int64_t n) { return {.kernel = n, .padding = n / 2, .kernel_w = 1}; }

/// One convolution of a chain: the last part of its name, its outputs, its window.
struct Step {
  std::string name;
  std::int64_t out;
  Options options;
};

ValueId chain(Layers& layers, const std::string& name, ValueId x, std::int64_t in, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    x = layers.basic_conv(name + "." + step.name, x, in, step.out, step.options);
    in = step.out;
  }
  return x;
}

ValueId pooled(Layers& layers, const std::string& name, ValueId x, std::int64_t in, std::int64_t out) {
  return layers.basic_conv(name + ".branch_pool", layers.average_pool(name + ".avg_pool", x, 3, 1, 1), in, out, kPoint);
}

// Szegedy et al. 2016, figures 5, 6, 7 and 10, by torchvision's letters.
ValueId block_a(Layers& layers, const std::string& name, ValueId x, std::int64_t in, std::int64_t pool) {
  const ValueId one = chain(layers, name, x, in, {{"branch1x1", 64, kPoint}});
  const ValueId five =
      chain(layers, name, x, in, {{"branch5x5_1", 48, kPoint}, {"branch5x5_2", 64, {.kernel = 5, .padding = 2}}});
  const ValueId three =
      chain(layers, name, x, in,
            {{"branch3x3dbl_1", 64, kPoint}, {"branch3x3dbl_2", 96, kThree}, {"branch3x3dbl_3", 96, kThree}});
  return layers.concat(name + ".concat", {one, five, three, pooled(layers, name, x, in, pool)});
}

ValueId block_b(Layers& layers, const std::string& name, ValueId x, std::int64_t in) {
  const ValueId one = chain(layers, name, x, in, {{"branch3x3", 384, kHalve}});
  const ValueId two =
      chain(layers, name, x, in,
            {{"branch3x3dbl_1", 64, kPoint}, {"branch3x3dbl_2", 96, kThree}, {"branch3x3dbl_3", 96, kHalve}});
  return layers.concat(name + ".concat", {one, two, layers.max_pool(name + ".max_pool", x, 3, 2, 0)});
}

ValueId block_c(Layers& layers, const std::string& name, ValueId x, std::int64_t in, std::int64_t c) {
  const ValueId one = chain(layers, name, x, in, {{"branch1x1", 192, kPoint}});
  const ValueId seven = chain(
      layers, name, x, in, {{"branch7x7_1", c, kPoint}, {"branch7x7_2", c, row(7)}, {"branch7x7_3", 192, column(7)}});
  const ValueId twice = chain(layers, name, x, in,
                              {{"branch7x7dbl_1", c, kPoint},
                               {"branch7x7dbl_2", c, column(7)},
                               {"branch7x7dbl_3", c, row(7)},
                               {"branch7x7dbl_4", c, column(7)},
                               {"branch7x7dbl_5", 192, row(7)}});
  return layers.concat(name + ".concat", {one, seven, twice, pooled(layers, name, x, in, 192)});
}

ValueId block_d(Layers& layers, const std::string& name, ValueId x, std::int64_t in) {
  const ValueId three = chain(layers, name, x, in, {{"branch3x3_1", 192, kPoint}, {"branch3x3_2", 320, kHalve}});
  const ValueId seven = chain(layers, name, x, in,
                              {{"branch7x7x3_1", 192, kPoint},
                               {"branch7x7x3_2", 192, row(7)},
                               {"branch7x7x3_3", 192, column(7)},
                               {"branch7x7x3_4", 192, kHalve}});
  return layers.concat(name + ".concat", {three, seven, layers.max_pool(name + ".max_pool", x, 3, 2, 0)});
}

/// A row and a column of three beside each other.
ValueId fork(Layers& layers, const std::string& name, const std::string& a, const std::string& b, ValueId x) {
  return layers.concat(name + "." + a + ".concat", {chain(layers, name, x, 384, {{a, 384, row(3)}}),
                                                    chain(layers, name, x, 384, {{b, 384, column(3)}})});
}

ValueId block_e(Layers& layers, const std::string& name, ValueId x, std::int64_t in) {
  const ValueId one = chain(layers, name, x, in, {{"branch1x1", 320, kPoint}});
  const ValueId three = chain(layers, name, x, in, {{"branch3x3_1", 384, kPoint}});
  const ValueId wide = fork(layers, name, "branch3x3_2a", "branch3x3_2b", three);
  const ValueId twice = chain(layers, name, x, in, {{"branch3x3dbl_1", 448, kPoint}, {"branch3x3dbl_2", 384, kThree}});
  const ValueId wider = fork(layers, name, "branch3x3dbl_3a", "branch3x3dbl_3b", twice);
  return layers.concat(name + ".concat", {one, wide, wider, pooled(layers, name, x, in, 192)});
}

}  // namespace

graph::Graph build_inception_v3(const BuildOptions& options) {
  graph::Graph graph;
  Layers layers(graph, options.held);
  const std::int64_t channels = given(options.channels, 3);
  ValueId x = graph.add_input("input", Shape{1, channels, given(options.height, 299), given(options.width, 299)});
  x = layers.basic_conv("Conv2d_1a_3x3", x, channels, 32, kHalve);
  x = layers.basic_conv("Conv2d_2a_3x3", x, 32, 32, {.kernel = 3});
  x = layers.max_pool("maxpool1", layers.basic_conv("Conv2d_2b_3x3", x, 32, 64, kThree), 3, 2, 0);
  x = layers.basic_conv("Conv2d_3b_1x1", x, 64, 80, kPoint);
  x = layers.max_pool("maxpool2", layers.basic_conv("Conv2d_4a_3x3", x, 80, 192, {.kernel = 3}), 3, 2, 0);
  x = block_a(layers, "Mixed_5b", x, 192, 32);
  x = block_a(layers, "Mixed_5c", x, 256, 64);
  x = block_a(layers, "Mixed_5d", x, 288, 64);
  x = block_b(layers, "Mixed_6a", x, 288);
  x = block_c(layers, "Mixed_6b", x, 768, 128);
  x = block_c(layers, "Mixed_6c", x, 768, 160);
  x = block_c(layers, "Mixed_6d", x, 768, 160);
  x = block_c(layers, "Mixed_6e", x, 768, 192);
  x = block_d(layers, "Mixed_7a", x, 768);
  x = block_e(layers, "Mixed_7b", x, 1280);
  x = block_e(layers, "Mixed_7c", x, 2048);
  graph.set_outputs({add_head(graph, one_layer("fc"), layers.pool_and_flatten(x), 2048, options)});
  return graph;
}

}  // namespace shiftnorm::zoo
