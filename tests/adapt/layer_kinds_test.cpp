// BatchNorms of every shape and in every position, against the definition worked out beside the engine.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/exec/reference.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kCount = 5;

Images images_of(unsigned seed, std::size_t count = kCount) {
  return {count, [seed](std::size_t i, std::span<float> dst) {
            std::ranges::copy(random_floats(dst.size(), seed + static_cast<unsigned>(i)), dst.begin());
          }};
}

std::vector<float> image(const Images& images, std::size_t i, std::size_t floats) {
  std::vector<float> x(floats);
  images.load(i, x);
  return x;
}

struct Moments {
  std::vector<double> mean, variance;
};

/// Two passes over values [image][channel][position].
Moments by_definition(const std::vector<std::vector<float>>& values, std::size_t channels) {
  Moments m{std::vector<double>(channels), std::vector<double>(channels)};
  const std::size_t plane = values[0].size() / channels;
  const double n = static_cast<double>(plane * values.size());
  const auto each = [&](const auto& add) {
    for (const auto& x : values)
      for (std::size_t k = 0; k < x.size(); ++k) add(k / plane, static_cast<double>(x[k]));
  };
  each([&](std::size_t c, double x) { m.mean[c] += x / n; });
  each([&](std::size_t c, double x) { m.variance[c] += (x - m.mean[c]) * (x - m.mean[c]) / n; });
  return m;
}

void check(const stats::LayerStatistics& found, const Moments& expected) {
  for (std::size_t c = 0; c < expected.mean.size(); ++c) {
    // 1e-6: activations are float32.
    CHECK(found.mean[c] == Approx(expected.mean[c]).epsilon(1e-6).margin(1e-6));
    CHECK(found.variance[c] == Approx(expected.variance[c]).epsilon(1e-6).margin(1e-7));
  }
}

graph::Graph bare(const Shape& shape) {
  graph::Graph g;
  finish(g, norm(g, "bn", g.add_input("x", shape), shape[1]));
  return g;
}

}  // namespace

// Oracle: the definition (torch.nn.BatchNorm1d on [N, C] and [N, C, L], 2d and 3d pool over everything but C).
TEST_CASE("BatchNorm of rank 2 to 5 pools over every axis but the channels", "[adapt]") {
  const Shape shape = GENERATE(Shape{1, 5}, Shape{1, 5, 7}, Shape{1, 5, 4, 3}, Shape{1, 18, 2, 3, 2});
  CAPTURE(shape.text());
  const auto floats = static_cast<std::size_t>(shape.elements()), channels = static_cast<std::size_t>(shape[1]);
  const Images images = images_of(10);
  std::vector<std::vector<float>> values;
  for (std::size_t i = 0; i < kCount; ++i) values.push_back(image(images, i, floats));
  Engine engine(bare(shape), {.threads = 2});
  const Moments expected = by_definition(values, channels);
  check(engine.measure({}, images, {})[0], expected);
  check(engine.measure({.semantics = Semantics::source}, images, {})[0], expected);

  // The output of `adabn` on the same images: gamma (x - mean) / sqrt(v + 1e-5) + beta.
  const graph::Graph g = bare(shape);
  const auto layers = graph::batch_norms(g);
  const ModeResult r = engine.run({}, images, kSameImages, {});
  for (std::size_t k = 0; k < floats; ++k) {
    const std::size_t c = k / (floats / channels);
    const auto at = [&](ValueId id) { return static_cast<double>(g.value(id).tensor->values[c]); };
    const double y = at(layers[0].scale) * (static_cast<double>(values[1][k]) - expected.mean[c]) /
                         std::sqrt(expected.variance[c] + 1e-5) +
                     at(layers[0].bias);
    CHECK(static_cast<double>(r.outputs->values[floats + k]) == Approx(y).epsilon(1e-4).margin(1e-5));
  }
}

// Oracle: torch.nn.BatchNorm1d in training mode refuses it as well.
TEST_CASE("One value per channel has no variance and is refused by name, in every semantics", "[adapt]") {
  Engine engine(bare(Shape{1, 5}), {});
  const Images one = images_of(10, 1), three = images_of(10, 3);
  for (const Semantics semantics : {Semantics::layerwise, Semantics::source, Semantics::batch})
    CHECK_THROWS_WITH(engine.run({.semantics = semantics}, one, nullptr, {}),
                      Contains("layer 'bn': a group of 1 image(s) gives one value per channel"));
  // torch.nn.BatchNorm1d in training mode refuses the ragged third image too.
  CHECK_THROWS_AS(engine.run({.semantics = Semantics::batch, .batch = 2}, three, nullptr, {}), ConfigError);
  CHECK_THROWS_AS(engine.run({.policy = Policy::instance}, three, kSameImages, {}), ConfigError);
  CHECK_NOTHROW(engine.run({}, three, kSameImages, {}));
}

// Law: gamma times zero plus beta.
TEST_CASE("A constant channel has variance 0 and comes out as beta", "[adapt]") {
  Engine engine(bare(Shape{1, 2, 3, 3}), {});
  const Images images{3, [](std::size_t i, std::span<float> dst) {
                        std::ranges::copy(random_floats(dst.size(), static_cast<unsigned>(i)), dst.begin());
                        std::fill_n(dst.begin(), 9, 0.375f);
                      }};
  const ModeResult r = engine.run({}, images, kSameImages, {});
  CHECK(r.statistics[0].mean[0] == 0.375);
  CHECK(r.statistics[0].variance[0] == 0);
  const graph::Graph g = bare(Shape{1, 2, 3, 3});
  const float beta = g.value(graph::batch_norms(g)[0].bias).tensor->values[0];
  // 1e-3: gamma / sqrt(1e-5) = 316 gamma, and the shift takes the mean away again in float32.
  for (std::size_t k = 0; k < 9; ++k) CHECK(r.outputs->values[k] == Approx(beta).margin(1e-3));
}

// Law: what no image reaches is not measured, and keeps what it has.
TEST_CASE("A BatchNorm that no output depends on keeps the source", "[adapt]") {
  graph::Graph g;
  const ValueId x = g.add_input("x", Shape{1, 3, 4, 4});
  norm(g, "auxiliary", x, 3);
  finish(g, norm(g, "main", x, 3));
  Engine engine(g, {});
  const auto out = engine.run({}, images_of(1), nullptr, {});
  CHECK(out.statistics[0].mean == engine.source()[0].mean);
  CHECK(out.measured[0].values == 0);
  CHECK(out.measured[1].values == kCount * 16);
}

namespace {

/// relu(shared(x)) and shared(conv(x)): two uses of one BatchNorm, neither behind the other.
graph::Graph siamese() {
  graph::Graph g;
  const ValueId x = g.add_input("x", Shape{1, 3, 4, 4});
  const auto shared = norm_parameters(g, "shared", 3);
  const ValueId a = norm(g, "use1", x, shared), b = norm(g, "use2", conv(g, "c", x, 3, 3, 3, 2), shared);
  finish(g, g.add("Concat", "cat", {g.add("Flatten", "f1", {a}), g.add("Flatten", "f2", {b})},
                  {{"axis", std::int64_t{1}}}));
  return g;
}

/// shared(conv(shared(x))): each use depends on the one before.
graph::Graph recursive() {
  graph::Graph g;
  const ValueId x = g.add_input("x", Shape{1, 3, 4, 4});
  const auto shared = norm_parameters(g, "shared", 3);
  finish(g, norm(g, "use2", conv(g, "c", norm(g, "use1", x, shared), 3, 3), shared));
  return g;
}

/// What a use sees: the same graph cut off before it.
std::vector<std::vector<float>> seen(graph::Graph g, std::size_t node, const Images& images) {
  g.set_outputs({g.nodes()[node].inputs[0]});
  std::vector<std::vector<float>> out;
  const auto floats = static_cast<std::size_t>(g.value(g.input()).shape->elements());
  for (std::size_t i = 0; i < images.count; ++i)
    out.push_back(exec::run_reference(g, image(images, i, floats)).front());
  return out;
}

}  // namespace

// Oracle: the definition: one set of statistics over everything that both uses see
// (docs/reference/estimators.md#estimators).
TEST_CASE("A BatchNorm applied twice pools over both uses", "[adapt]") {
  const graph::Graph g = siamese();
  Engine engine(g, {.threads = 2});
  const Images images = images_of(20);
  const auto layer = graph::batch_norms(g)[0];
  const auto first = seen(g, layer.nodes[0], images), second = seen(g, layer.nodes[1], images);
  const Moments a = by_definition(first, 3), b = by_definition(second, 3);
  Moments pooled{{0, 0, 0}, {0, 0, 0}};
  for (std::size_t c = 0; c < 3; ++c) {  // 16 and 4 values an image
    pooled.mean[c] = (16 * a.mean[c] + 4 * b.mean[c]) / 20;
    pooled.variance[c] = (16 * (a.variance[c] + std::pow(a.mean[c] - pooled.mean[c], 2)) +
                          4 * (b.variance[c] + std::pow(b.mean[c] - pooled.mean[c], 2))) /
                         20;
  }
  for (const Mode& mode :
       {Mode{}, Mode{.semantics = Semantics::source}, Mode{.semantics = Semantics::batch, .batch = 2}}) {
    const auto found = engine.measure(mode, images, {})[0];
    check(found, pooled);
    CHECK(found.values == kCount * 20);
    CHECK(found.images == kCount);
  }
  // batch-mean over one batch: each use counts once, with its sample variance, as PyTorch's cumulative average.
  const auto mean = engine.measure({.semantics = Semantics::batch, .estimator = Estimator::batch_mean}, images, {})[0];
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(mean.mean[c] == Approx((a.mean[c] + b.mean[c]) / 2).margin(1e-6));
    CHECK(mean.variance[c] == Approx((a.variance[c] * 80 / 79 + b.variance[c] * 20 / 19) / 2));
  }
}

// Oracle: the definition, use after use, each normalised with what it sees itself (PyTorch's training mode).
TEST_CASE("A BatchNorm behind itself has no layerwise order, but batches work", "[adapt]") {
  const graph::Graph g = recursive();
  Engine engine(g, {});
  const Images images = images_of(30);
  CHECK_THROWS_WITH(engine.run({}, images, nullptr, {}),
                    Contains("layer 'shared'") && Contains("expected semantics batch"));
  const auto layer = graph::batch_norms(g)[0];
  const Moments a = by_definition(seen(g, layer.nodes[0], images), 3);
  graph::Graph normalised = g;
  for (std::size_t c = 0; c < 3; ++c) {
    normalised.value(layer.mean).tensor->values[c] = static_cast<float>(a.mean[c]);
    normalised.value(layer.variance).tensor->values[c] = static_cast<float>(a.variance[c]);
  }
  const auto second = seen(normalised, layer.nodes[1], images);
  const Moments b = by_definition(second, 3);
  const auto found = engine.measure({.semantics = Semantics::batch}, images, {})[0];
  for (std::size_t c = 0; c < 3; ++c) {
    const double m = (a.mean[c] + b.mean[c]) / 2;
    CHECK(found.mean[c] == Approx(m).margin(1e-5));
    CHECK(found.variance[c] == Approx((a.variance[c] + b.variance[c]) / 2 + std::pow(a.mean[c] - b.mean[c], 2) / 4));
  }
  // Policy batch: the second use is normalised with its own statistics.
  const ModeResult r = engine.run({.policy = Policy::batch}, images, kSameImages, {});
  const auto at = [&](ValueId id) { return static_cast<double>(g.value(id).tensor->values[0]); };
  const double y = at(layer.scale) * (static_cast<double>(second[0][0]) - b.mean[0]) / std::sqrt(b.variance[0] + 1e-5) +
                   at(layer.bias);
  CHECK(static_cast<double>(r.outputs->values[0]) == Approx(y).epsilon(1e-4));
}

// Law: the rest is what it is without that image, to the bit.
TEST_CASE("An image with activations that are not finite is left out and named", "[adapt]") {
  const graph::Graph g = bare(Shape{1, 5, 4, 4});
  Engine engine(g, {.threads = 2});
  const Images good = images_of(40);
  const Images spoiled{kCount + 1, [&](std::size_t i, std::span<float> dst) {
                         good.load(i > 2 ? i - 1 : i, dst);
                         if (i == 2) dst[17] = std::numeric_limits<float>::infinity();
                       }};
  for (const Mode& mode : {Mode{}, Mode{.semantics = Semantics::source},
                           Mode{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 2}}) {
    const ModeResult r = engine.run(mode, spoiled, kSameImages, {});
    REQUIRE(r.left_out.size() == 1);
    CHECK(r.left_out[0].image == 2);
    CHECK_THAT(r.left_out[0].reason, Contains("layer 'bn': channel 1"));
    CHECK(r.adapted_images == kCount);
    CHECK(r.measured[0].sums == engine.measure(mode, good, {})[0].sums);
    CHECK(std::isfinite(r.outputs->values[0]));
    CHECK_FALSE(std::isfinite(r.outputs->values[2 * 80 + 17]));
  }
  const ModeResult batch = engine.run({.policy = Policy::batch, .batch = 3}, spoiled, kSameImages, {});
  CHECK(batch.left_out.size() == 1);
  CHECK(std::isnan(batch.outputs->values[std::size_t{2} * 80]));
  CHECK(std::isfinite(batch.outputs->values[std::size_t{3} * 80]));
  const Images broken{4, [](std::size_t, std::span<float> dst) { std::ranges::fill(dst, std::nanf("")); }};
  CHECK_THROWS_WITH(engine.run({}, broken, nullptr, {}),
                    Contains("layer 'bn'") && Contains("of 4; expected finite numbers"));
}

// Law: an estimate that was interrupted and continued is the one that was not.
TEST_CASE("An interrupted measurement goes on to the same bits", "[adapt]") {
  graph::Graph g;
  ValueId x = g.add("Relu", "r", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 2, 5, 5}), 2, 3), 3)});
  x = g.add("Relu", "r2", {norm(g, "bn2", conv(g, "c2", x, 3, 4), 4)});
  finish(g, norm(g, "bn3", conv(g, "c3", x, 4, 4), 4));
  const Mode mode = GENERATE(
      Mode{}, Mode{.semantics = Semantics::source}, Mode{.semantics = Semantics::batch, .batch = 20, .shuffle = 3},
      Mode{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 20},
      Mode{.semantics = Semantics::batch, .estimator = Estimator::ema_reset, .batch = 20, .momentum = 0.2},
      Mode{.semantics = Semantics::batch, .estimator = Estimator::dua, .batch = 1});
  constexpr std::size_t kMany = 150;
  const Images images = images_of(50, kMany);
  Engine engine(g, {.threads = 2});
  const stats::Statistics expected = engine.run(mode, images, nullptr, {}).measured;
  std::size_t stops = 0;
  for (const std::size_t after : {std::size_t{60}, std::size_t{140}, std::size_t{290}, std::size_t{440}}) {
    std::atomic<bool> stop = false;
    std::atomic<std::size_t> loaded = 0;
    const Progress progress{[&](std::string_view, std::int64_t, std::int64_t) { stop = ++loaded > after; }, &stop};
    stats::Statistics reached;
    try {
      static_cast<void>(engine.run(mode, images, nullptr, progress, &reached));
      continue;  // done before it was stopped
    } catch (const Interrupted&) {
      ++stops;
    }
    const stats::Statistics found = engine.run(mode, images, nullptr, {}, &reached).measured;
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].mean == expected[i].mean);
      CHECK(found[i].variance == expected[i].variance);
      CHECK(found[i].sums.sums() == expected[i].sums.sums());
      CHECK(found[i].spread == expected[i].spread);
      CHECK(found[i].batches == expected[i].batches);
    }
  }
  CHECK(stops >= 2);
}

// A state_dict of track_running_stats=False: neither zeros nor ones stand in for what is not there.
// Oracle: the same network with statistics, which these modes do not read; the others are those that
// docs/reference/estimators.md refuses.
TEST_CASE("Without source statistics only modes that need none run", "[adapt]") {
  graph::Graph g;
  const ValueId x = norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 2, 5, 5}), 2, 3), 3);
  finish(g, norm(g, "bn2", conv(g, "c2", x, 3, 4), 4));
  const graph::Graph complete = g;
  for (const auto& layer : graph::batch_norms(g))
    for (const ValueId id : {layer.mean, layer.variance})
      std::ranges::fill(g.value(id).tensor->values, std::numeric_limits<float>::quiet_NaN());
  Engine with(complete, {}), without(g, {});
  CHECK(with.source_known());
  CHECK_FALSE(without.source_known());
  const Images images = images_of(60);
  const Mode runs[] = {{},
                       {.policy = Policy::batch, .batch = 2},
                       {.policy = Policy::instance},
                       {.policy = Policy::disabled},
                       {.policy = Policy::identity},
                       {.semantics = Semantics::batch, .batch = 2},
                       {.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 2},
                       {.semantics = Semantics::batch, .estimator = Estimator::ema_reset, .batch = 2, .momentum = 0.2}};
  for (const Mode& mode : runs) {
    CAPTURE(name_of(mode.policy));
    const auto expected = with.run(mode, images, kSameImages, {}).outputs->values,
               found = without.run(mode, images, kSameImages, {}).outputs->values;
    // The pivots differ, so the last bits do.
    for (std::size_t k = 0; k < expected.size(); ++k) CHECK(found[k] == Approx(expected[k]).epsilon(1e-4).margin(1e-4));
  }
  const Mode refused[] = {{.policy = Policy::source},
                          {.policy = Policy::blend, .prior_images = 16},
                          {.policy = Policy::mean_only},
                          {.policy = Policy::hybrid_decay},
                          {.policy = Policy::normalise_only},
                          {.semantics = Semantics::source},
                          {.semantics = Semantics::batch, .estimator = Estimator::ema},
                          {.policy = Policy::batch, .source_weight = 0.5},
                          {.layers = {.first = 1}}};
  for (const Mode& mode : refused)
    CHECK_THROWS_WITH(without.run(mode, images, kSameImages, {}), Contains("no source statistics"));
}
