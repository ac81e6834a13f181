#include "shiftnorm/graph/fold.hpp"

#include <catch2/catch.hpp>

#include "exec/random_network.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

std::size_t count(const Graph& g, std::string_view op) {
  return static_cast<std::size_t>(
      std::count_if(g.nodes().begin(), g.nodes().end(), [op](const graph::Node& n) { return n.op == op; }));
}

const graph::Value& named(const Graph& g, const std::string& name) {
  for (const ValueId id : g.parameters())
    if (g.value(id).name == name) return g.value(id);
  throw Error("no parameter '" + name + "'");
}

/// Oracle: the original graph, by plain loops in double. 1e-5: a few layers of sums of order 1 in float32.
void check_same_function(const Graph& original, Graph& folded) {
  graph::infer_shapes(folded);
  const auto image = random_floats(static_cast<std::size_t>(original.value(original.input()).shape->elements()), 99);
  const std::vector<float> expected = exec::run_reference(original, image).front(),
                           found = exec::run_reference(folded, image).front();
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(found[i] == Approx(expected[i]).epsilon(1e-5).margin(1e-5));
}

}  // namespace

// Oracle: gamma / sqrt(v + epsilon) = 2 / sqrt(3 + 1) = 1 and beta - mean * 1 = 5 - 0.5, by hand.
TEST_CASE("a folded BatchNorm is in the weight and the new bias", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 1, 2, 2});
  const ValueId w = g.add_parameter("c.weight", Shape{1, 1, 1, 1});
  const ValueId y = g.add("Conv", "c", {x, w});
  const auto p = norm_parameters(g, "bn", 1);
  const ValueId z = g.add("BatchNormalization", "bn", {y, p[0], p[1], p[2], p[3]}, {{"epsilon", 1.0f}});
  g.set_outputs({g.add("Relu", "out", {z})});
  const auto set = [&](ValueId id, float v) { g.value(id).tensor = Tensor(*g.value(id).shape, std::vector{v}); };
  set(w, 3.0f);
  set(p[0], 2.0f);
  set(p[1], 5.0f);
  set(p[2], 0.5f);
  set(p[3], 3.0f);
  const Graph folded = graph::fold_batch_norms(g);
  REQUIRE(folded.nodes().size() == 2);
  CHECK(named(folded, "c.weight").tensor->values[0] == 3.0f);
  CHECK(named(folded, "c.bias").tensor->values[0] == 4.5f);
  CHECK(folded.nodes()[0].name == "c");
  CHECK(folded.parameters().size() == 2);
}

// Oracle: the original graph by plain loops; two of the seven BatchNorms cannot be folded.
TEST_CASE("folding keeps the function of convolutions, products and what it leaves alone", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 6, 6});
  // Grouped, with a bias of its own.
  const ValueId w = g.add_parameter("a.weight", Shape{6, 2, 3, 3}), b = g.add_parameter("a.bias", Shape{6});
  ValueId y = g.add("Conv", "a", {x, w, b}, {{"group", std::int64_t{2}}, {"pads", Ints(4, 1)}});
  y = g.add("Relu", "relu", {norm(g, "bn1", y, 6)});
  // Read twice: its BatchNorm stays, and so does the one behind an addition.
  const ValueId shared = conv(g, "b", y, 6, 6);
  y = g.add("Add", "add", {norm(g, "bn2", shared, 6), shared});
  y = norm(g, "bn3", y, 6);
  // One weight for two convolutions, each with a BatchNorm of its own.
  const ValueId twice = g.add_parameter("twice.weight", Shape{6, 6, 1, 1});
  y = norm(g, "bn4", g.add("Conv", "first", {y, twice}), 6);
  y = norm(g, "bn5", g.add("Conv", "second", {y, twice}), 6);
  y = g.add("Flatten", "flatten", {g.add("GlobalAveragePool", "pool", {y})});
  const ValueId m = g.add_parameter("m.weight", Shape{5, 6}), mb = g.add_parameter("m.bias", Shape{5});
  y = norm(g, "bn6", g.add("Gemm", "m", {y, m, mb}, {{"transB", std::int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}}), 5);
  y = norm(g, "bn7", g.add("MatMul", "n", {y, g.add_parameter("n.weight", Shape{5, 3})}), 3);
  finish(g, y);
  Graph folded = graph::fold_batch_norms(g);
  CHECK(count(folded, "BatchNormalization") == 2);
  CHECK(count(folded, "Conv") == 4);
  CHECK(count(folded, "Gemm") == 2);
  CHECK(folded.value(folded.outputs()[0]).name == "bn7");
  CHECK(named(folded, "twice.weight.2").tensor.has_value());
  check_same_function(g, folded);
}

// Law: what is not known is not folded.
TEST_CASE("a BatchNorm without values cannot be folded", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 6, 6});
  const ValueId y = norm(g, "bn1", conv(g, "c", x, 4, 4), 4);
  finish(g, y);
  g.value(g.nodes()[1].inputs[3]).tensor.reset();
  CHECK_THROWS_WITH(graph::fold_batch_norms(g),
                    "node 'bn1': 'bn1.running_mean' has no values; expected a bound parameter");
}
