#include <catch2/catch.hpp>
#include <cmath>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/graph/fold.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

/// A 1 x 1 convolution of one channel to two, with biases, and something with weights behind it.
Graph small() {
  Graph g;
  const ValueId x = g.add_input("x", Shape{1, 1, 1, 4});
  const ValueId w = g.add_parameter("c.weight", Shape{2, 1, 1, 1}), b = g.add_parameter("c.bias", Shape{2});
  const ValueId y = g.add("Conv", "c", {x, w, b});
  finish(g, g.add("Conv", "head", {y, g.add_parameter("head.weight", Shape{2, 2, 1, 1})}));
  g.value(w).tensor = Tensor(Shape{2, 1, 1, 1}, std::vector{1.0f, 2.0f});
  g.value(b).tensor = Tensor(Shape{2}, std::vector{0.0f, 1.0f});
  const ValueId h = g.nodes()[1].inputs[1];
  g.value(h).tensor = Tensor(Shape{2, 2, 1, 1}, std::vector{1.0f, 0.0f, 0.0f, 1.0f});
  return g;
}

adapt::Images one_image(std::vector<float> pixels) {
  return {1, [pixels = std::move(pixels)](std::size_t, std::span<float> dst) {
            std::copy(pixels.begin(), pixels.end(), dst.begin());
          }};
}

}  // namespace

// Oracle: docs/reference/estimators.md#folded-networks by hand. y = {x, 2x + 1} for x = 0, 2, 4, 6: m_t = {3, 7}, v_t =
// {5, 20}; m_src = {10, 0}, v_src = {20, 5}; delta = 1e-5 * 20 (the upper median of two); y' = m_src + (y - m_t)
// sqrt((v_src + d) / (v_t + d)).
TEST_CASE("a folded layer settles on its source statistics", "[adapt]") {
  Graph g = small();
  auto layers = graph::folded_layers(g);
  REQUIRE(layers.size() == 1);  // not `head`, which feeds the output and has no bias
  layers[0].mean = {10, 0};
  layers[0].variance = {20, 5};
  graph::unfold(g, layers);
  adapt::Engine engine(g, {});
  REQUIRE(engine.batch_norms().size() == 1);
  CHECK(engine.batch_norms()[0].name == "c");
  CHECK(engine.batch_norms()[0].folded);
  CHECK(engine.source()[0].mean == std::vector<double>{10, 0});
  const adapt::Images images = one_image({0, 2, 4, 6});

  const auto untouched = engine.infer(engine.source(), images, {});
  const std::vector<float> y{0, 2, 4, 6, 1, 5, 9, 13};
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(untouched.values[i] == Approx(y[i]).margin(1e-5));

  const adapt::ModeResult r = engine.run({}, images, adapt::kSameImages, {});
  const double d = 1e-5 * 20, m_t[] = {3, 7}, v_t[] = {5, 20}, m_src[] = {10, 0}, v_src[] = {20, 5};
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t c = i / 4;
    const double expected =
        m_src[c] + (static_cast<double>(y[i]) - m_t[c]) * std::sqrt(v_src[c] + d) / std::sqrt(v_t[c] + d);
    CHECK(r.outputs->values[i] == Approx(expected).epsilon(1e-6));  // float32
  }

  // In the weight and bias: y' = f w x + (f (b - m_t) + m_src).
  const graph::Refolded now = graph::refold(g, engine.batch_norms()[0], r.statistics[0].mean, r.statistics[0].variance);
  const double f = std::sqrt(20 + d) / std::sqrt(5 + d);
  CHECK(now.weight_values[0] == Approx(f).epsilon(1e-6));
  CHECK(now.bias_values[0] == Approx(10 - 3 * f).epsilon(1e-6));
}

// Oracle: docs/reference/estimators.md#folded-networks, "the factor at most 10": a constant target channel has v_t = 0,
// v_src = 20.
TEST_CASE("a folded layer is never blown up by more than ten", "[adapt]") {
  Graph g = small();
  auto layers = graph::folded_layers(g);
  layers[0].mean = {10, 0};
  layers[0].variance = {20, 5};
  graph::unfold(g, layers);
  adapt::Engine engine(g, {});
  stats::Statistics target = engine.source();
  target[0].mean = {3, 7};
  target[0].variance = {0, 20};
  const auto outputs = engine.infer(target, one_image({0, 2, 4, 6}), {});
  CHECK(outputs.values[1] == Approx(10 + (2 - 3) * 10));
  const graph::Refolded now = graph::refold(g, engine.batch_norms()[0], target[0].mean, target[0].variance);
  CHECK(now.weight_values[0] == Approx(10));
}

// Oracle: which convolutions a BatchNorm follows, by hand.
TEST_CASE("layers that no BatchNorm was folded into are left out", "[adapt]") {
  Graph g;
  const auto biased = [&g](const std::string& name, ValueId x, std::int64_t in, std::int64_t out) {
    return g.add(
        "Conv", name,
        {x, g.add_parameter(name + ".weight", Shape{out, in, 1, 1}), g.add_parameter(name + ".bias", Shape{out})});
  };
  const ValueId x = g.add_input("x", Shape{1, 3, 4, 4});
  ValueId y = biased("taken", x, 3, 4);
  y = norm(g, "bn", biased("normed", y, 4, 4), 4);
  ValueId gate = g.add("GlobalAveragePool", "squeeze", {y});
  gate = g.add("Sigmoid", "gate", {biased("excite", gate, 4, 4)});
  y = conv(g, "unbiased", g.add("Mul", "mul", {y, gate}), 4, 4);
  y = biased("also", y, 4, 4);
  y = biased("last", g.add("Relu", "relu", {y}), 4, 2);
  finish(g, g.add("Relu", "out", {y}));
  std::vector<std::string> names;
  for (const auto& layer : graph::folded_layers(g)) names.push_back(layer.name);
  CHECK(names == std::vector<std::string>{"taken", "also"});
  graph::unfold(g, graph::folded_layers(g));
  const auto sets = graph::batch_norms(g);
  REQUIRE(sets.size() == 3);
  CHECK(sets[1].name == "bn");
  CHECK_FALSE(sets[1].folded);
  CHECK(sets[2].level == 3);
  // Taken back, it is the network that it was.
  Graph back = graph::fold_batch_norms(g, graph::Folding::unfolded);
  CHECK(graph::batch_norms(back).size() == 1);
}
