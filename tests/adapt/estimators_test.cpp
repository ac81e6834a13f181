#include "estimators.hpp"

#include <array>
#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using Catch::Matchers::Contains;

namespace {

std::vector<graph::BatchNorm> one_layer() {
  graph::BatchNorm layer;
  layer.name = "bn";
  layer.channels = 1;
  layer.momentum = 0.25;
  return {layer};
}

exec::LevelMoments batch(const std::vector<double>& values) {
  exec::LevelMoments use{0, stats::ChannelMoments({0.0f}), stats::Spread(1)};
  double sum = 0, square = 0;
  for (const double v : values) {
    sum += v;
    square += v * v;
  }
  use.moments.add_image({&sum, 1}, {&square, 1}, static_cast<std::int64_t>(values.size()));
  use.spread.add({&sum, 1}, {&square, 1}, static_cast<double>(values.size()));
  return use;
}

/// Batches {0, 2} (mean 1, sample variance 2, population 1) and {4, 4, 4, 8} (5, 4, 3), from a source of mean 8,
/// variance 16.
stats::LayerStatistics estimate(const Mode& mode) {
  static const std::vector<graph::BatchNorm> layers = one_layer();
  const stats::Statistics source{{"bn", {8.0}, {16.0}}};
  BatchEstimator estimator(mode, layers, source);
  estimator.add(0, 0, 1, std::vector{batch({0, 2})});
  estimator.add(0, 1, 2, std::vector{batch({4, 4, 4, 8})});
  return estimator.finish()[0];
}

}  // namespace

// Oracle: the rules of docs/reference/estimators.md#estimators, worked by hand.
TEST_CASE("population pools every value", "[adapt]") {
  const auto out = estimate({.semantics = Semantics::batch});
  CHECK(out.mean[0] == Approx(22.0 / 6));
  CHECK(out.variance[0] == Approx(116.0 / 6 - 22.0 / 6 * 22.0 / 6));
  CHECK(out.values == 6);
  CHECK(out.images == 3);
  CHECK(out.batches == 2);
}

// Oracle: worked by hand: the mean of the batches' means and of their sample variances.
TEST_CASE("batch-mean counts each batch once, with sample variances", "[adapt]") {
  const auto out = estimate({.semantics = Semantics::batch, .estimator = Estimator::batch_mean});
  CHECK(out.mean[0] == Approx(3.0));
  CHECK(out.variance[0] == Approx(3.0));
}

// Oracle: torch.nn.BatchNorm2d's update, new = (1 - p) old + p batch, by hand.
TEST_CASE("ema starts from the source with the layer's own momentum, or the given one", "[adapt]") {
  const auto own = estimate({.semantics = Semantics::batch, .estimator = Estimator::ema});
  CHECK(own.mean[0] == Approx((8 * 0.75 + 0.25) * 0.75 + 1.25));
  CHECK(own.variance[0] == Approx((16 * 0.75 + 0.5) * 0.75 + 1.0));
  const auto given = estimate({.semantics = Semantics::batch, .estimator = Estimator::ema, .momentum = 1.0});
  CHECK(given.mean[0] == Approx(5.0));
  CHECK(given.variance[0] == Approx(4.0));
}

// Oracle: docs/reference/estimators.md#stored-variance: population variances 1 of N = 2 and 3 of N = 4, each times the
// factor of what wrote the file, epsilon 0.5; momentum 1 leaves the last batch, 0.25 the sum below.
TEST_CASE("ema stores the variance that the layer's framework stores", "[adapt]") {
  using graph::StoredVariance;
  const auto [stored, first, second] = GENERATE(table<StoredVariance, double, double>({
      {StoredVariance::sample, 2.0, 4.0},
      {StoredVariance::population, 1.0, 3.0},
      {StoredVariance::keras_once, 2.0 / 0.5, 3.0 * 4 / 2.5},
      {StoredVariance::keras_twice, 2.0 * 2 / 0.5, 4.0 * 4 / 2.5},
  }));
  std::vector<graph::BatchNorm> layers = one_layer();
  layers[0].epsilon = 0.5;
  layers[0].stored_variance = stored;
  const stats::Statistics source{{"bn", {8.0}, {16.0}}};
  BatchEstimator estimator({.semantics = Semantics::batch, .estimator = Estimator::ema}, layers, source);
  estimator.add(0, 0, 1, std::array{batch({0, 2})});
  estimator.add(0, 1, 2, std::array{batch({4, 4, 4, 8})});
  CHECK(estimator.finish()[0].variance[0] == Approx((16 * 0.75 + 0.25 * first) * 0.75 + 0.25 * second));
  const std::array one_value{batch({5})};
  // One value per channel has a population variance and no other.
  if (stored == StoredVariance::population)
    CHECK_NOTHROW(estimator.add(0, 2, 1, one_value));
  else
    CHECK_THROWS_WITH(estimator.add(0, 2, 1, one_value), Contains("no sample variance"));
}

// Oracle: the same update from (0, 1), by hand.
TEST_CASE("ema-reset starts from mean 0 and variance 1", "[adapt]") {
  const auto out = estimate({.semantics = Semantics::batch, .estimator = Estimator::ema_reset, .momentum = 0.5});
  CHECK(out.mean[0] == Approx(0.25 + 2.5));
  CHECK(out.variance[0] == Approx((0.5 + 1.0) * 0.5 + 2.0));
}

// Oracle: DUA (Mirza et al. 2022), momentum 0.1 * 0.94^n + 0.005, by hand.
TEST_CASE("dua lowers its momentum image by image", "[adapt]") {
  const auto out = estimate({.semantics = Semantics::batch, .estimator = Estimator::dua, .batch = 1});
  const double p1 = 0.1 * 0.94 + 0.005, p2 = 0.1 * 0.94 * 0.94 + 0.005;
  CHECK(out.mean[0] == Approx((8 * (1 - p1) + p1) * (1 - p2) + 5 * p2));
}

// Law: N - 1 of one value is zero, and nothing is divided by it.
TEST_CASE("One value per channel has no sample variance", "[adapt]") {
  const auto layers = one_layer();
  BatchEstimator estimator({.semantics = Semantics::batch, .estimator = Estimator::batch_mean}, layers,
                           {{"bn", {0.0}, {1.0}}});
  CHECK_THROWS_WITH(estimator.add(0, 0, 1, std::vector{batch({3})}),
                    Contains("layer 'bn': a batch has one value per channel") && Contains("expected larger batches"));
}
