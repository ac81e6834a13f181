#include "shiftnorm/graph/constants.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

using namespace shiftnorm;
using namespace shiftnorm::graph;
using Catch::Matchers::Contains;

namespace {

using Integers = std::vector<std::int64_t>;

Value integers(Shape shape, Integers values) {
  Value value;
  value.parameter = true;
  value.shape = std::move(shape);
  value.integers = std::move(values);
  return value;
}
Value vector(Integers values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return integers(Shape{n}, std::move(values));
}
Value scalar(std::int64_t value) { return integers(Shape{}, {value}); }
Value floats(const Shape& shape, const std::vector<float>& values) {
  Value value;
  value.parameter = true;
  value.shape = shape;
  value.tensor = Tensor(shape, values);
  return value;
}

Value fold(const std::string& op, const std::vector<Value>& inputs, std::map<std::string, Attribute> attributes = {}) {
  std::vector<const Value*> pointers;
  for (const Value& value : inputs) pointers.push_back(&value);
  FoldBudget budget{1000};
  Node node{op, "n", {}, {}, std::move(attributes)};
  std::optional<Value> folded = constant_of(node, pointers, budget);
  REQUIRE(folded);
  return *folded;
}

}  // namespace

// Oracle: NumPy's results for the same operands, worked by hand.
TEST_CASE("Shape arithmetic gives what NumPy gives") {
  CHECK(fold("Gather", {vector({5, 6, 7}), scalar(-1)}).integers == Integers{7});
  CHECK(*fold("Gather", {vector({5, 6, 7}), scalar(-1)}).shape == Shape{});
  CHECK(fold("Concat", {vector({1}), vector({2, 3})}, {{"axis", std::int64_t{0}}}).integers == Integers{1, 2, 3});
  CHECK(fold("Slice", {vector({0, 1, 2, 3, 4}), vector({-2}), vector({-100}), vector({0}), vector({-2})}).integers ==
        Integers{3, 1});
  CHECK(fold("Slice", {vector({0, 1, 2, 3, 4}), vector({1}), vector({100})}).integers == Integers{1, 2, 3, 4});
  CHECK(*fold("Unsqueeze", {scalar(3), vector({0})}).shape == Shape{1});
  CHECK(*fold("Squeeze", {integers(Shape{1, 2, 1}, {1, 2})}).shape == Shape{2});
  CHECK(fold("Div", {vector({7, -7}), scalar(2)}).integers == Integers{3, -3});  // C's division, as ONNX says
  CHECK(fold("Mod", {vector({7, -7}), scalar(3)}).integers == Integers{1, 2});
  CHECK(fold("ReduceProd", {vector({2, 3, 4})}, {{"keepdims", std::int64_t{0}}}).integers == Integers{24});
  CHECK(fold("Range", {scalar(2), scalar(9), scalar(3)}).integers == Integers{2, 5, 8});
  CHECK(fold("Where", {fold("Equal", {vector({-1, 4}), scalar(-1)}), vector({9, 9}), vector({-1, 4})}).integers ==
        Integers{9, 4});
  CHECK(fold("ConstantOfShape", {vector({2})}, {{"value", std::int64_t{3}}}).integers == Integers{3, 3});
  CHECK(fold("Transpose", {integers(Shape{2, 3}, {1, 2, 3, 4, 5, 6})}).integers == Integers{1, 4, 2, 5, 3, 6});
  CHECK(fold("Expand", {vector({1, 2}), vector({2, 1})}).integers == Integers{1, 2, 1, 2});
  CHECK(fold("Tile", {vector({1, 2}), vector({2})}).integers == Integers{1, 2, 1, 2});
  CHECK(*fold("Reshape", {vector({1, 2, 3, 4}), vector({2, -1})}).shape == Shape{2, 2});
  CHECK(fold("Floor", {floats(Shape{1}, {2.7f})}).tensor->values[0] == 2.0f);
  CHECK(fold("Cast", {floats(Shape{1}, {-2.7f})}, {{"to", std::int64_t{7}}}).integers == Integers{-2});
  CHECK(fold("Mul", {floats(Shape{}, {0.5f}), floats(Shape{2}, {2, 4})}).tensor->values[1] == 2.0f);
  Value activation;
  activation.shape = Shape{1, 3, 8, 9};
  CHECK(fold("Shape", {activation}).integers == Integers{1, 3, 8, 9});
  CHECK(fold("Shape", {activation}, {{"start", std::int64_t{-2}}}).integers == Integers{8, 9});
}

// Law: a constant is what the operator would give, or there is none; ONNX's bounds are errors.
TEST_CASE("What is not known is left alone, what does not fit is refused") {
  FoldBudget budget;
  Value unknown;
  unknown.shape = Shape{1};
  CHECK_FALSE(constant_of(Node{"Neg", "n", {}, {}, {}}, std::vector<const Value*>{&unknown}, budget));
  const Value two = vector({1, 2});
  CHECK_FALSE(constant_of(Node{"Conv", "n", {}, {}, {}}, std::vector<const Value*>{&two}, budget));
  CHECK_THROWS_WITH(fold("ConstantOfShape", {vector({1 << 20})}), Contains("has 1000 left"));
  CHECK_THROWS_AS(fold("Div", {two, scalar(0)}), ShapeError);
  CHECK_THROWS_AS(fold("Mul", {scalar(std::int64_t{1} << 62), scalar(4)}), ShapeError);
  CHECK_THROWS_AS(fold("Gather", {two, scalar(2)}), ShapeError);
  CHECK_THROWS_AS(fold("Reshape", {two, vector({3})}), ShapeError);
  CHECK_THROWS_AS(fold("Tile", {two, vector({std::int64_t{1} << 62})}), ShapeError);
}

// Law: shape arithmetic and activations follow the same rules. What shapes.hpp refuses of an activation is refused of a
// constant too, with the same words; both used to be written twice, and a copied axis beyond the rank gave 0 in one of
// them. ONNX Runtime refuses it as well ("the dimension with value zero exceeds the dimension size").
TEST_CASE("Constants have the shapes that activations would have", "[graph]") {
  struct Case {
    const char* op;
    Shape data;
    Integers argument;
    std::map<std::string, Attribute> attributes;
  };
  const auto c = GENERATE(values<Case>({
      {"Reshape", {2, 3}, {0, 0, 0}, {}},  // copies axis 2
      {"Reshape", {2, 3}, {0, 0, 1}, {}},
      {"Reshape", {2, 3}, {0, 3, 1}, {{"allowzero", std::int64_t{1}}}},
      {"Reshape", {2, 3}, {-1, -1}, {}},
      {"Reshape", {2, 3}, {3, -1}, {}},
      {"Reshape", {2, 3}, {4, -1}, {}},
      {"Squeeze", {1, 3, 1}, {0, -1}, {}},
      {"Squeeze", {1, 3, 1}, {1}, {}},
      {"Squeeze", {1, 3, 1}, {0, -3}, {}},
      {"Unsqueeze", {3}, {0, 2}, {}},
      {"Unsqueeze", {3}, {0, 0}, {}},
      {"Unsqueeze", {3}, {3}, {}},
      {"Expand", {2, 1}, {3, 1, 4}, {}},
      {"Expand", {2, 3}, {2, 2}, {}},
      {"Tile", {2, 3}, {2, 0}, {}},
      {"Tile", {2, 3}, {2}, {}},
      {"Gather", {2, 3}, {1, -1, 0}, {{"axis", std::int64_t{-1}}}},
      {"Gather", {2, 3}, {2}, {{"axis", std::int64_t{0}}}},
      {"ReduceSum", {2, 3, 4}, {0, -1}, {{"keepdims", std::int64_t{0}}}},
      {"ReduceMax", {2, 3, 4}, {3}, {}},
      {"ReduceMin", {2, 3, 4}, {}, {{"noop_with_empty_axes", std::int64_t{1}}}},
  }));
  CAPTURE(c.op, c.data.text(), c.argument);
  Graph graph;
  const ValueId x = graph.add_input("x", c.data);
  graph.add(c.op, "n", {x, graph.add_constant("argument", c.argument)}, c.attributes);
  std::string expected;
  try {
    infer_node(graph, graph.nodes().back());
    expected = graph.value(graph.nodes().back().outputs[0]).shape->text();
  } catch (const Error& e) {
    expected = e.what();
  }
  const auto n = static_cast<std::size_t>(c.data.elements());
  for (const Value& data : {integers(c.data, Integers(n, 7)), floats(c.data, std::vector<float>(n, 7.0f))}) {
    std::string found;
    try {
      found = fold(c.op, {data, vector(c.argument)}, c.attributes).shape->text();
    } catch (const Error& e) {
      found = e.what();
    }
    CHECK(found == expected);
  }
}

// Oracle: ONNX's Reshape: 0 copies an axis that the input must have.
TEST_CASE("A copied axis beyond the rank is refused in shape arithmetic too", "[graph]") {
  CHECK_THROWS_WITH(fold("Reshape", {vector({1, 2}), vector({0, 0})}), "Reshape of [2] copies axis 1");
}

// Oracle: NumPy's slices, which take one element where the step is beyond the extent.
TEST_CASE("Steps of any size take what they reach", "[graph]") {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const Value five = vector({0, 1, 2, 3, 4}), table = integers(Shape{2, 3}, {0, 1, 2, 3, 4, 5});
  for (const std::int64_t step : {kHuge, std::int64_t{5}})
    CHECK(fold("Slice", {five, vector({1}), vector({kHuge}), vector({0}), vector({step})}).integers == Integers{1});
  CHECK(fold("Slice", {five, vector({-1}), vector({-kHuge}), vector({0}), vector({-kHuge})}).integers == Integers{4});
  CHECK(fold("Slice", {table, vector({1}), vector({-kHuge}), vector({0}), vector({-kHuge})}).integers ==
        Integers{3, 4, 5});
  CHECK(fold("Slice", {five, vector({4}), vector({1}), vector({0}), vector({1})}).integers == Integers{});
}

// Oracle: shapes worked by hand: 2*3*4 and 2*5*5.
TEST_CASE("A network is resolved for one size of input and left for another") {
  Graph graph;
  const ValueId x = graph.add_input("x", Shape{});
  graph.value(x).shape.reset();
  const ValueId shape = graph.add("Shape", "s", {x});
  const ValueId zero = graph.add_constant("zero", {0});
  const ValueId count = graph.add("Gather", "count", {shape, zero}, {{"axis", std::int64_t{0}}});
  const ValueId rest = graph.add_constant("rest", {-1});
  const ValueId target = graph.add("Concat", "target", {count, rest}, {{"axis", std::int64_t{0}}});
  const ValueId same = graph.add("Dropout", "same", {x});
  graph.add("Relu", "unused", {x});
  graph.set_outputs({graph.add("Reshape", "flat", {same, target})});
  const Graph small = resolve(graph, Shape{1, 2, 3, 4}), large = resolve(graph, Shape{1, 2, 5, 5});
  REQUIRE(small.nodes().size() == 1);
  CHECK(*small.value(small.outputs()[0]).shape == Shape{1, 24});
  CHECK(*large.value(large.outputs()[0]).shape == Shape{1, 50});
}

// Oracle: shapes worked by hand: an eighth of the images, whatever -1 stands for.
TEST_CASE("Targets that count the images of the file are made to count one") {
  const auto [target, expected] = GENERATE(table<Integers, Shape>({{{8, 6}, Shape{1, 6}},
                                                                   {{8, -1}, Shape{1, 6}},
                                                                   {{-1, 6}, Shape{1, 6}},
                                                                   {{16, 3}, Shape{2, 3}},
                                                                   {{0, 6}, Shape{1, 6}}}));
  Graph graph;
  const ValueId x = graph.add_input("x", Shape{1, 2, 3});
  graph.set_outputs({graph.add("Reshape", "r", {x, graph.add_constant("t", target)})});
  const Graph one = resolve(graph, Shape{1, 2, 3}, 8);
  CHECK(*one.value(one.outputs()[0]).shape == expected);
}
