#include "shiftnorm/graph/shapes.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "graph/small_graphs.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

Shape shape_of(Graph& g, ValueId output) {
  g.set_outputs({output});
  graph::infer_shapes(g);
  return *g.value(output).shape;
}

}  // namespace

// Oracle: torch.nn.Conv2d / MaxPool2d / AvgPool2d output shapes (PyTorch 1.13), as their documentation's formula gives.
TEST_CASE("Convolutions and pools have PyTorch's extents", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 15, 20});
  SECTION("dilated, strided, grouped") {
    const ValueId w = g.add_parameter("w", Shape{6, 2, 3, 5});
    CHECK(shape_of(g, g.add("Conv", "c", {x, w},
                            {{"strides", Ints{2, 3}},
                             {"pads", Ints{1, 2, 1, 2}},
                             {"dilations", Ints{2, 1}},
                             {"group", std::int64_t{2}}})) == Shape{1, 6, 7, 7});
  }
  SECTION("pool") {
    CHECK(shape_of(g, g.add("MaxPool", "p", {x},
                            {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints(4, 1)}})) ==
          Shape{1, 4, 8, 10});
  }
  SECTION("ceil_mode drops a window that starts in the end padding") {
    // torch.nn.MaxPool2d(2, 2, 1, ceil_mode=True) on 15 x 20: 8.5 -> 9 would start at 15 + 1, hence 8; 11 stays 11.
    CHECK(shape_of(g, g.add("MaxPool", "p", {x},
                            {{"kernel_shape", Ints{2, 2}},
                             {"strides", Ints{2, 2}},
                             {"pads", Ints(4, 1)},
                             {"ceil_mode", std::int64_t{1}}})) == Shape{1, 4, 8, 11});
  }
  SECTION("auto_pad SAME_UPPER") {
    const ValueId w = g.add_parameter("w", Shape{6, 4, 3, 3});
    CHECK(shape_of(g, g.add("Conv", "c", {x, w}, {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}})) ==
          Shape{1, 6, 8, 10});
  }
}

// Oracle: worked by hand: x[:, :, ::2, ::2] of 9 x 8 is 5 x 4, and 8 channels on both sides make 32.
TEST_CASE("Slice and Pad of an option-A shortcut", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 16, 9, 8});
  const std::int64_t end = std::numeric_limits<std::int64_t>::max();
  const ValueId y = g.add("Slice", "s",
                          {x, g.add_constant("b", {0, 0}), g.add_constant("e", {end, end}), g.add_constant("a", {2, 3}),
                           g.add_constant("t", {2, 2})});
  const ValueId z = g.add("Pad", "p", {y, g.add_constant("pads", {0, 8, 0, 0, 0, 8, 0, 0})});
  CHECK(shape_of(g, z) == Shape{1, 32, 5, 4});
  CHECK(*g.value(y).shape == Shape{1, 16, 5, 4});
}

// Law: a message names the node, what was found and what was expected.
TEST_CASE("Shape errors name the node, what was found and what was expected", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  SECTION("channels") {
    g.set_outputs({conv(g, "c1", x, 3, 8)});
    CHECK_THROWS_WITH(
        graph::infer_shapes(g),
        Contains("node 'c1': input [1, 4, 8, 8] with weights [8, 3, 3, 3] and group 1; expected 3 input channels"));
  }
  SECTION("BatchNorm") {
    g.set_outputs({norm(g, "bn1", x, 5)});
    CHECK_THROWS_WITH(graph::infer_shapes(g),
                      Contains("node 'bn1': 'bn1.weight' has shape [5]; expected [4], the channels of the input"));
  }
  SECTION("unknown operator") {
    g.set_outputs({g.add("Frobnicate", "f", {x})});
    CHECK_THROWS_AS(graph::infer_shapes(g), UnsupportedError);
  }
  SECTION("operators that mix images") {
    g.set_outputs({g.add("Concat", "cat", {x, x}, {{"axis", std::int64_t{0}}})});
    graph::infer_shapes(g);
    CHECK_THROWS_WITH(graph::check_images_apart(g), Contains("node 'cat': Concat along axis 0 mixes images"));
  }
}
