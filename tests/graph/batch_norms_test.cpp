#include "shiftnorm/graph/batch_norms.hpp"

#include <catch2/catch.hpp>

#include "graph/small_graphs.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

/// A residual block with a normalised shortcut: bn1 and shortcut at level 2 (after the stem), bn2 at level 3, next
/// at 4.
Graph residual() {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 3, 8, 8});
  const ValueId stem = norm(g, "stem", conv(g, "c0", x, 3, 4), 4);
  const ValueId y = norm(g, "bn1", conv(g, "c1", stem, 4, 4), 4);
  const ValueId z = norm(g, "bn2", conv(g, "c2", y, 4, 4), 4);
  const ValueId s = norm(g, "shortcut", conv(g, "c3", stem, 4, 4, 1), 4);
  g.set_outputs({norm(g, "next", g.add("Add", "add", {z, s}), 4)});
  return g;
}

std::vector<std::int64_t> levels(const std::vector<graph::BatchNorm>& sets) {
  std::vector<std::int64_t> out;
  for (const auto& set : sets) out.push_back(set.level);
  return out;
}

}  // namespace

// Oracle: the definition in docs/reference/estimators.md#levels, worked by hand.
TEST_CASE("Levels count the measured layers upstream", "[graph]") {
  const Graph g = residual();
  auto sets = graph::batch_norms(g);
  REQUIRE(sets.size() == 5);
  CHECK(sets[3].name == "shortcut");
  CHECK(levels(sets) == Ints{1, 2, 3, 2, 4});
  CHECK(sets[0].channels == 4);
  CHECK(sets[0].momentum == Approx(0.1));

  SECTION("layers that are not measured do not count") {
    graph::assign_levels(g, sets, {false, true, false, true, true});
    CHECK(levels(sets) == Ints{0, 1, 0, 1, 2});
  }
}

// Oracle: the shortest decimal of the float that the file holds.
TEST_CASE("Epsilon and momentum are the decimal numbers that were written", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  const auto p = norm_parameters(g, "a", 4);
  g.value(p[2]).name = "/model_weights/a.b/a.b/moving_mean:0";
  g.set_outputs({g.add(
      "BatchNormalization", "a.b", {x, p[0], p[1], p[2], p[3]},
      {{"epsilon", 1e-3f}, {"momentum", 0.99f}, {std::string(graph::kStoredVariance), std::string("keras-once")}})});
  const graph::BatchNorm layer = graph::batch_norms(g).at(0);
  CHECK(layer.epsilon == 1e-3);
  CHECK(layer.momentum == 1.0 - 0.99);
  CHECK(layer.stored_variance == graph::StoredVariance::keras_once);
  CHECK(layer.name == "a.b");  // of Keras' paths the node names the layer
}

// Oracle: levels worked by hand: one more than the highest before any use.
TEST_CASE("One BatchNorm applied to two branches is one set at the higher level", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  const auto shared = norm_parameters(g, "shared", 4);
  const ValueId early = norm(g, "use1", x, shared);
  const ValueId other = norm(g, "other", conv(g, "c", x, 4, 4), 4);
  const ValueId late = norm(g, "use2", other, shared);
  g.set_outputs({norm(g, "after", g.add("Add", "add", {early, late}), 4)});
  const auto sets = graph::batch_norms(g);
  REQUIRE(sets.size() == 3);
  CHECK(sets[0].name == "shared");
  CHECK(sets[0].nodes.size() == 2);
  CHECK(sets[0].ordered);
  CHECK(levels(sets) == Ints{2, 1, 3});
}

// Oracle: by hand: its second use waits for its first, so that no level holds both.
TEST_CASE("A BatchNorm whose use depends on its own earlier use has no order", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  const auto shared = norm_parameters(g, "shared", 4);
  g.set_outputs({norm(g, "use2", conv(g, "c", norm(g, "use1", x, shared), 4, 4), shared)});
  const auto sets = graph::batch_norms(g);
  REQUIRE(sets.size() == 1);
  CHECK_FALSE(sets[0].ordered);
}

// Law: what no file holds cannot be measured again.
TEST_CASE("A BatchNorm whose vectors are computed is refused by name", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  std::vector<ValueId> p = norm_parameters(g, "bn1", 4);
  p[2] = g.add("Neg", "turned", {p[2]});
  g.set_outputs({norm(g, "bn1", x, p)});
  CHECK_THROWS_WITH(graph::batch_norms(g), Catch::Matchers::Equals("node 'bn1': 'turned' of its BatchNormalization is "
                                                                   "computed; expected a parameter"));
}

// Oracle: levels worked by hand, each use for itself.
TEST_CASE("Uses are sets of their own, in graph order and with levels", "[graph]") {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 4, 8, 8});
  const auto shared = norm_parameters(g, "shared", 4);
  const ValueId first = norm(g, "use1", x, shared);
  g.set_outputs({norm(g, "use2", norm(g, "between", first, 4), shared)});
  const auto uses = graph::uses_of(g, graph::batch_norms(g));
  REQUIRE(uses.size() == 3);
  CHECK(levels(uses) == Ints{1, 2, 3});
  CHECK(uses[0].name == "shared");
  CHECK(uses[1].name == "between");
  CHECK(uses[2].mean == uses[0].mean);
  for (const auto& use : uses) CHECK(use.ordered);
}
