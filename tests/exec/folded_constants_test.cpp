// Law: what folding makes of float constants is what the plain loops make of the same values as activations.
#include <catch2/catch.hpp>

#include "exec/random_network.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/graph/constants.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

struct FoldedCase {
  const char* op;
  std::vector<Shape> floats;   ///< operands that are activations, or float constants
  std::vector<Ints> integers;  ///< those behind them, constants either way
  std::map<std::string, graph::Attribute> attributes;
};

}  // namespace

// Oracle: the plain loops on the same values as activations.
TEST_CASE("Constants are folded to what the plain loops compute", "[exec]") {
  const auto c = GENERATE(values<FoldedCase>({
      {"Transpose", {{2, 3, 4}}, {}, {{"perm", Ints{2, 0, 1}}}},
      {"Transpose", {{2, 3, 4}}, {}, {}},
      {"Slice", {{5, 6}}, {{4, 0}, {-10, 6}, {0, 1}, {-2, 3}}, {}},
      {"Slice", {{5, 6}}, {{1}, {std::int64_t{1} << 62}, {-1}, {std::int64_t{1} << 62}}, {}},
      {"Gather", {{3, 4, 2}}, {{2, -4, 1}}, {{"axis", std::int64_t{1}}}},
      {"Expand", {{3, 1}}, {{2, 1, 4}}, {}},
      {"Tile", {{2, 3}}, {{2, 3}}, {}},
      {"Concat", {{2, 3}, {2, 1}, {2, 2}}, {}, {{"axis", std::int64_t{-1}}}},
      {"Concat", {{2, 3}, {1, 3}}, {}, {{"axis", std::int64_t{0}}}},
      {"Reshape", {{2, 6}}, {{0, -1, 3}}, {}},
      {"Flatten", {{2, 3, 4}}, {}, {{"axis", std::int64_t{2}}}},
      {"Squeeze", {{1, 3, 1}}, {{-1}}, {}},
      {"Unsqueeze", {{3}}, {{0, 2}}, {}},
      {"Add", {{3, 1, 2}, {4, 1}}, {}, {}},
      {"Sub", {{3}, {2, 3}}, {}, {}},
      {"Mul", {{2, 3}, {}}, {}, {}},
      {"Div", {{2, 3}, {3}}, {}, {}},
      {"Max", {{2, 3}, {3}, {2, 1}}, {}, {}},
      {"Min", {{2, 3}, {3}, {2, 1}}, {}, {}},
      {"Floor", {{7}}, {}, {}},
      {"Round", {{7}}, {}, {}},
      {"Exp", {{7}}, {}, {}},
      {"ReduceSum", {{2, 3, 4}}, {{0, 2}}, {}},
      {"ReduceMean", {{2, 3, 4}}, {}, {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}}},
      {"ReduceMax", {{2, 3, 4}}, {{-1}}, {}},
      {"ReduceProd", {{2, 3}}, {}, {}},
  }));
  CAPTURE(c.op);
  Graph g;
  std::vector<ValueId> in;
  unsigned seed = 1;
  for (const Shape& shape : c.floats) {
    in.push_back(g.add_parameter("x", shape));
    std::vector<float> values = random_floats(static_cast<std::size_t>(shape.elements()), seed++);
    for (float& v : values) v *= 3.0f;
    g.value(in.back()).tensor = Tensor(shape, values);
  }
  for (const Ints& values : c.integers) in.push_back(g.add_constant("i", values));
  const ValueId out = g.add(c.op, "n", in, c.attributes);
  const graph::Node& node = g.nodes().back();
  std::vector<const graph::Value*> constants;
  for (const ValueId id : in) constants.push_back(&g.value(id));
  graph::FoldBudget budget;
  const std::optional<graph::Value> folded = graph::constant_of(node, constants, budget);
  REQUIRE(folded);

  graph::infer_node(g, node);
  const Shape& shape = *g.value(out).shape;
  CHECK(*folded->shape == shape);
  std::vector<exec::TensorView> views;
  for (const ValueId id : in) {
    const graph::Value& value = g.value(id);
    views.push_back({*value.shape, value.tensor ? value.tensor->values.data() : nullptr});
  }
  std::vector<float> expected(static_cast<std::size_t>(shape.elements()));
  const std::vector<exec::OutputView> outputs{{shape, expected.data()}};
  exec::run_reference_node(g, node, views, outputs);
  const auto& values = folded->tensor->values;
  CHECK(std::vector<float>(values.begin(), values.end()) == expected);
}
