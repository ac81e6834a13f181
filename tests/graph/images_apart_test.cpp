// Oracle: the definition of each operator. What reads other images than its own, or drops, repeats or reorders them, is
// refused; everything else is followed.
#include <catch2/catch.hpp>

#include "graph/small_graphs.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

struct Mixer {
  std::string op;
  std::map<std::string, graph::Attribute> attributes;
  std::vector<Ints> integers;
  std::string message;
};

Graph one_node(const std::string& op, const std::map<std::string, graph::Attribute>& attributes,
               const std::vector<Ints>& integers, const Shape& shape) {
  Graph g;
  std::vector<ValueId> in{g.add_input("x", shape)};
  for (const Ints& values : integers) in.push_back(g.add_constant("constant", values));
  g.add(op, "node", in, attributes, op == "Split" ? 2 : 1);
  g.set_outputs(g.nodes().back().outputs);
  graph::infer_shapes(g);
  return g;
}

}  // namespace

// Oracle: the definition of each operator, as above: it reads, drops or moves other images than its own.
TEST_CASE("What mixes images is refused by node and operator", "[graph]") {
  const std::int64_t zero = 0;
  const std::vector<Mixer> mixers{
      {"Softmax", {{"axis", zero}}, {}, "Softmax along axis 0 mixes images"},
      {"ArgMax", {}, {}, "ArgMax over axis 0 mixes images"},
      {"ReduceMean", {}, {}, "ReduceMean over axis 0 mixes images"},
      {"ReduceSum", {}, {{0, 2}}, "ReduceSum over axis 0 mixes images"},
      {"MeanVarianceNormalization", {}, {}, "MeanVarianceNormalization over axis 0 mixes images"},
      {"Flatten", {{"axis", zero}}, {}, "Flatten with axis 0 mixes images"},
      {"Transpose", {{"perm", Ints{1, 0, 2, 3}}}, {}, "output 'node' counts images along axis 1; expected 0"},
      {"Split", {}, {{1, 1}}, "Split along axis 0 mixes images"},
      {"Slice", {}, {{0}, {1}}, "Slice along axis 0 mixes images"},
      {"Slice", {}, {{-1}, {-100}, {0}, {-1}}, "Slice along axis 0 mixes images"},
      {"Pad", {}, {{1, 0, 0, 0, 0, 0, 0, 0}}, "Pad along axis 0 mixes images"},
      {"Tile", {}, {{2, 1, 1, 1}}, "Tile along axis 0 mixes images"},
      {"Gather", {}, {{0}}, "Gather along axis 0 mixes images"},
      {"Flatten", {{"axis", std::int64_t{2}}}, {}, "Flatten of [2, 4, 6, 6] to [8, 36], which has no axis for them"},
      {"Reshape", {}, {{4, -1}}, "Reshape of [2, 4, 6, 6] to [4, 72], which has no axis for them"},
  };
  for (const Mixer& m : mixers) {
    CAPTURE(m.op);
    const Graph g = one_node(m.op, m.attributes, m.integers, Shape{2, 4, 6, 6});
    CHECK_THROWS_AS(graph::check_images_apart(g), UnsupportedError);
    CHECK_THROWS_WITH(graph::check_images_apart(g),
                      Contains(m.message) && (Contains("node 'node': ") || Contains("output")));
  }
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4});
  SECTION("normalising over everything") {
    g.set_outputs({g.add("LayerNormalization", "ln", {x, g.add_parameter("scale", Shape{4})}, {{"axis", zero}})});
  }
  SECTION("a product of images") { g.set_outputs({g.add("MatMul", "ln", {x, g.add("Transpose", "t", {x})})}); }
  SECTION("transA") {
    g.set_outputs({g.add("Gemm", "ln", {x, g.add_parameter("w", Shape{1, 3})}, {{"transA", std::int64_t{1}}})});
  }
  SECTION("images against images of another axis") {
    g.set_outputs({g.add("Add", "ln", {x, g.add("Transpose", "t", {x})})});
  }
  SECTION("a constant for each of several images") {
    g.set_outputs({g.add("Add", "ln", {x, g.add_parameter("b", Shape{3, 4})})});
  }
  SECTION("weights that depend on the image") {
    const ValueId w = g.add("Reshape", "r", {x, g.add_constant("shape", {1, 1, 4})});
    g.set_outputs({g.add("Conv", "ln", {g.add("Unsqueeze", "u", {x, g.add_constant("axes", {1})}), w})});
  }
  graph::infer_shapes(g);
  CHECK_THROWS_WITH(graph::check_images_apart(g), Contains("node 'ln': "));
}

// Oracle: the definition of each operator: no image depends on another.
TEST_CASE("What keeps images apart passes, wherever they are counted", "[graph]") {
  const std::int64_t two = 2;
  const std::vector<Mixer> keepers{
      {"Softmax", {{"axis", std::int64_t{-1}}}, {}, ""},
      {"ReduceMean", {{"axes", Ints{1, 2}}, {"keepdims", std::int64_t{0}}}, {}, ""},
      {"Flatten", {{"axis", std::int64_t{-3}}}, {}, ""},
      {"Transpose", {{"perm", Ints{0, 3, 1, 2}}}, {}, ""},
      {"Slice", {}, {{0, 1}, {std::int64_t{1} << 40, 3}, {0, 1}}, ""},
      {"Pad", {{"mode", std::string("reflect")}}, {{0, 0, 1, 1, 0, 0, 1, 1}}, ""},
      {"Expand", {}, {{1, 4, 6, 6}}, ""},
      {"Gather", {{"axis", two}}, {{0}}, ""},
      {"Reshape", {}, {{0, -1}}, ""},
      {"Unsqueeze", {}, {{4, 1}}, ""},
      {"Split", {{"axis", std::int64_t{1}}}, {{1, 3}}, ""},
      {"Resize", {{"mode", std::string("linear")}}, {{}, {}, {1, 4, 3, 3}}, ""},
  };
  for (const Mixer& m : keepers) {
    CAPTURE(m.op);
    CHECK_NOTHROW(graph::check_images_apart(one_node(m.op, m.attributes, m.integers, Shape{1, 4, 6, 6})));
  }
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 5, 8});
  const ValueId turned = g.add("Transpose", "turn", {x}, {{"perm", Ints{1, 0, 2}}});
  const ValueId added = g.add("Add", "add", {turned, g.add_parameter("b", Shape{5, 1, 8})});
  const ValueId product = g.add("MatMul", "product", {added, g.add_parameter("w", Shape{8, 3})});
  const ValueId scores = g.add("MatMul", "scores", {x, g.add("Transpose", "t", {x}, {{"perm", Ints{0, 2, 1}}})});
  g.set_outputs({g.add("Transpose", "back", {product}, {{"perm", Ints{1, 0, 2}}}), scores});
  graph::infer_shapes(g);
  CHECK_NOTHROW(graph::check_images_apart(g));
}
