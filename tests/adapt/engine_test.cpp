#include "shiftnorm/adapt/engine.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "graph/small_graphs.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/shapes.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

/// A BatchNorm straight on the input, flattened: what it does can be worked by hand.
graph::Graph bare_norm() {
  graph::Graph g;
  g.set_outputs({g.add("Flatten", "flat", {norm(g, "bn", g.add_input("x", Shape{1, 2, 1, 2}), 2)})});
  graph::infer_shapes(g);
  const std::vector<std::vector<float>> values{{2, 1}, {1, 0}, {0, 10}, {1, 4}};  // gamma, beta, mean, variance
  std::size_t i = 0;
  for (const ValueId id : g.parameters()) g.value(id).tensor = Tensor(Shape{2}, values[i++]);
  return g;
}

// Channel 0 of the three images: {1, 3}, {5, 7}, {3, 5}; channel 1: always {2, 2}, {4, 4}, {6, 6}.
constexpr float kPixels[3][4] = {{1, 3, 2, 2}, {5, 7, 4, 4}, {3, 5, 6, 6}};
const Images kImages{3, [](std::size_t i, std::span<float> dst) { std::copy_n(kPixels[i], 4, dst.begin()); }};

}  // namespace

// Oracle: the formula of BatchNormalization, worked by hand.
TEST_CASE("The source is evaluated with the file's statistics", "[adapt]") {
  Engine engine(bare_norm(), {});
  const ModeResult r = engine.run({.policy = Policy::source}, kImages, kSameImages, {});
  // gamma (x - mean) / sqrt(variance + 1e-5) + beta: 2 (1 - 0) / 1 + 1 = 3 and (2 - 10) / 2 = -4.
  CHECK(r.outputs->values[0] == Approx(3.0).epsilon(1e-4));
  CHECK(r.outputs->values[2] == Approx(-4.0).epsilon(1e-4));
  CHECK(engine.outputs() == 4);
  CHECK(engine.source()[0].mean == std::vector<double>{0, 10});
}

// Oracle: worked by hand from the six values of each channel.
TEST_CASE("Population statistics of three images, by hand", "[adapt]") {
  const int threads = GENERATE(1, 2, 4);
  const Semantics semantics = GENERATE(Semantics::layerwise, Semantics::source);
  Engine engine(bare_norm(), {.threads = threads});
  const auto out = engine.measure({.semantics = semantics}, kImages, {})[0];
  CHECK(out.mean == std::vector<double>{4.0, 4.0});
  CHECK(out.variance[0] == Approx((9 + 1 + 1 + 9 + 1 + 1) / 6.0));
  CHECK(out.variance[1] == Approx(8.0 / 3));
  CHECK(out.values == 6);
  CHECK(out.images == 3);
}

// Law: what a sweep gives is what inference with its statistics gives, to the bit.
TEST_CASE("A layerwise sweep's outputs equal inference with its statistics", "[adapt]") {
  Engine engine(bare_norm(), {.threads = 2});
  const ModeResult r = engine.run({}, kImages, kSameImages, {});
  CHECK(engine.infer(r.statistics, kImages, {}).values == r.outputs->values);
  CHECK(r.adapted_images == 3);
}

// Oracle: worked by hand; law: a weight of 1 is the source.
TEST_CASE("Policy batch normalises each group by itself, in arrival order", "[adapt]") {
  Engine engine(bare_norm(), {});
  const ModeResult r = engine.run({.policy = Policy::batch, .batch = 2}, kImages, kSameImages, {});
  CHECK(r.statistics.empty());
  // Images 0 and 1 together: channel 0 has mean 4, variance 5; image 2 alone: mean 4, variance 1.
  CHECK(r.outputs->values[0] == Approx(2 * (1 - 4) / std::sqrt(5.0) + 1).epsilon(1e-4));
  CHECK(r.outputs->values[8] == Approx(2 * (3 - 4) / 1.0 + 1).epsilon(1e-4));
  // lambda 1 is the source.
  const ModeResult source = engine.run({.policy = Policy::instance, .source_weight = 1.0}, kImages, kSameImages, {});
  CHECK(source.outputs->values == engine.infer(engine.source(), kImages, {}).values);
}

// Law: the same seed gives the same bits, whatever the threads.
TEST_CASE("Shuffled batches depend on the seed and on nothing else", "[adapt]") {
  Engine engine(bare_norm(), {.threads = 3});
  const Mode mode{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 2, .shuffle = 5};
  const auto once = engine.measure(mode, kImages, {})[0].variance;
  CHECK(Engine(bare_norm(), {.threads = 1}).measure(mode, kImages, {})[0].variance == once);
  bool differs = false;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Mode other = mode;
    other.shuffle = seed;
    differs = differs || engine.measure(other, kImages, {})[0].variance != once;
  }
  CHECK(differs);
}

// Law: what cannot be done is said before any work.
TEST_CASE("The engine refuses what cannot be done, by name", "[adapt]") {
  Engine engine(bare_norm(), {});
  CHECK_THROWS_WITH(engine.run({.name = "m", .policy = Policy::blend}, kImages, nullptr, {}),
                    Contains("mode 'm': policy blend has no weight"));
  CHECK_THROWS_AS(engine.measure({}, Images{0, {}}, {}), FormatError);

  graph::Graph g;
  const auto shared = norm_parameters(g, "twice", 2);
  const ValueId x = g.add_input("x", Shape{1, 2, 4, 4});
  g.set_outputs({norm(g, "b", g.add("Relu", "r", {norm(g, "a", x, shared)}), shared)});
  graph::infer_shapes(g);
  for (const ValueId id : g.parameters()) g.value(id).tensor = Tensor(Shape{2}, std::vector<float>{1, 1});
  const Images images{1, [](std::size_t, std::span<float> dst) { std::ranges::fill(dst, 1.0f); }};
  CHECK_THROWS_WITH(Engine(g, {}).measure({}, images, {}),
                    Contains("layer 'twice': one use depends on another use of itself"));
}

// Law: shards of whole batches, pooled, are one run (docs/reference/statistics-file.md#merging).
TEST_CASE("Measurements of shards pool to those of one run, bit for bit", "[adapt]") {
  const Mode mode = GENERATE(Mode{.semantics = Semantics::source}, Mode{.semantics = Semantics::batch, .batch = 2},
                             Mode{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 2});
  const auto part = [](std::size_t first, std::size_t count) {
    return Images{count, [first](std::size_t i, std::span<float> dst) {
                    for (std::size_t v = 0; v < 4; ++v)
                      dst[v] = 0.1f * kPixels[(first + i) % 3][v] + 0.7f * static_cast<float>((first + i) * v % 5);
                  }};
  };
  Engine engine(bare_norm(), {.threads = 2});
  const auto whole = engine.measure(mode, part(0, 7), {})[0];
  const auto first = engine.measure(mode, part(0, 2), {})[0], middle = engine.measure(mode, part(2, 2), {})[0],
             last = engine.measure(mode, part(4, 3), {})[0];
  auto pooled = last;
  pooled.sums.merge(middle.sums);
  pooled.sums.merge(first.sums);
  pooled.batches += middle.batches + first.batches;
  stats::estimate(mode.estimator == Estimator::batch_mean ? stats::Pooling::batches : stats::Pooling::values, pooled);
  CHECK(pooled.sums.sums() == whole.sums.sums());
  CHECK(pooled.sums.squares() == whole.sums.squares());
  CHECK(pooled.mean == whole.mean);
  CHECK(pooled.variance == whole.variance);
}

// Oracle: worked by hand: halfway between source and target.
TEST_CASE("A run hands out what it measured, before the policy", "[adapt]") {
  Engine engine(bare_norm(), {});
  const ModeResult r = engine.run({.policy = Policy::blend, .source_weight = 0.5}, kImages, nullptr, {});
  CHECK(r.measured[0].mean == std::vector<double>{4.0, 4.0});
  CHECK(r.measured[0].sums.values() == 6);
  CHECK(r.statistics[0].mean == std::vector<double>{2.0, 7.0});
  CHECK(r.statistics[0].sums.channels() == 0);
  CHECK(engine.run({.policy = Policy::disabled}, kImages, nullptr, {}).measured.empty());
  const Mode ema{.semantics = Semantics::batch, .estimator = Estimator::ema};
  CHECK(engine.measure(ema, kImages, {})[0].sums.channels() == 0);
}
