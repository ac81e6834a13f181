#include "shiftnorm/stats/settling.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::stats;

namespace {

constexpr std::size_t kPlane = 20;

/// One image: values around a centre of its own, so that images differ more than their pixels do.
void add_image(std::mt19937& random, float pivot, LayerStatistics& layer) {
  std::normal_distribution<double> between(3, 1), within(0, 1);
  const double centre = between(random), width = 1 + 0.3 * within(random);
  double sum = 0, square = 0;
  for (std::size_t k = 0; k < kPlane; ++k) {
    const double x = centre + width * within(random) - static_cast<double>(pivot);
    sum += x;
    square += x * x;
  }
  layer.sums.add_image({&sum, 1}, {&square, 1}, kPlane);
  layer.spread.add({&sum, 1}, {&square, 1}, kPlane);
}

LayerStatistics layer_of(std::size_t images, unsigned seed, float pivot) {
  std::mt19937 random(seed);
  LayerStatistics layer{"bn", {0.0}, {1.0}};
  layer.sums = ChannelMoments({pivot});
  layer.spread = Spread(1);
  for (std::size_t i = 0; i < images; ++i) add_image(random, pivot, layer);
  layer.images = static_cast<std::int64_t>(images);
  layer.values = layer.images * static_cast<std::int64_t>(kPlane);
  layer.batches = 1;
  estimate(Pooling::values, layer);
  return layer;
}

double error_of(const LayerStatistics& layer) { return settling(Pooling::values, {layer}, {})[0].error; }

}  // namespace

// Oracle: the same units one after the other.
TEST_CASE("A spread takes many units with the digits of one at a time", "[stats]") {
  const std::size_t channels = GENERATE(1, 41), units = GENERATE(1, 64, 70);
  std::mt19937 random(5);
  std::normal_distribution<double> normal(2, 3);
  std::vector<double> first(channels * units), second(first.size());
  for (double& v : first) v = normal(random);
  for (double& v : second) v = std::abs(normal(random));
  Spread together(channels), single(channels);
  together.add(first, second, kPlane, units);
  for (std::size_t u = 0; u < units; ++u)
    single.add(std::span(first).subspan(u * channels, channels), std::span(second).subspan(u * channels, channels),
               kPlane);
  CHECK(together == single);
}

// Oracle: the thing itself: how far the estimates of 400 sets of 40 images lie from that of very many images.
TEST_CASE("The predicted error is the error that is found", "[stats]") {
  const LayerStatistics truth = layer_of(200000, 1, 3);
  double found = 0, predicted = 0;
  constexpr int kSets = 400;
  for (unsigned s = 0; s < kSets; ++s) {
    const LayerStatistics layer = layer_of(40, 100 + s, 3);
    const double mean = layer.mean[0] - truth.mean[0],
                 deviation = std::sqrt(layer.variance[0]) - std::sqrt(truth.variance[0]);
    found += (mean * mean + deviation * deviation) / truth.variance[0] / kSets;
    predicted += error_of(layer) * error_of(layer) / kSets;
  }
  // 15 %: a mean of 400 squares of standard deviation sqrt(2) of themselves, and the delta method's next term (1/40).
  CHECK(std::sqrt(predicted) == Approx(std::sqrt(found)).epsilon(0.15));
}

// Law: a shift of the origin changes no variance, and standard errors fall with the root of n.
TEST_CASE("The error does not depend on the pivot and falls with the root of the images", "[stats]") {
  CHECK(error_of(layer_of(50, 7, 0)) == Approx(error_of(layer_of(50, 7, 12))).epsilon(1e-6));
  CHECK(error_of(layer_of(4000, 7, 3)) == Approx(error_of(layer_of(1000, 8, 3)) / 2).epsilon(0.1));
}

// Oracle: worked by hand. Means 1, 3 and variances 2, 6 of two batches: var(a) = 2, var(q) = 8, v = 4, n = 2.
TEST_CASE("Batches are units of their own", "[stats]") {
  LayerStatistics layer{"bn", {2.0}, {4.0}};
  layer.sums = ChannelMoments({0.0f});
  layer.spread = Spread(1);
  for (const auto& [mean, variance] : {std::pair{1.0, 2.0}, std::pair{3.0, 6.0}}) {
    layer.sums.add_image({&mean, 1}, {&variance, 1}, 10);
    layer.spread.add({&mean, 1}, {&variance, 1}, 1);
  }
  layer.values = 20;
  layer.images = 8;
  layer.batches = 2;
  const auto told = settling(Pooling::batches, {layer}, {{"bn", {0.0}, {1.0}}});
  CHECK(told[0].error == Approx(std::sqrt((2.0 + 8.0 / (4 * 4)) / (2 * 4))));
  CHECK(told[0].shift == Approx(std::sqrt((4.0 + 1.0) / 4)));  // (2 - 0)^2 + (2 - 1)^2 over v = 4
}

// Law: one image has no spread, and a constant channel no unit.
TEST_CASE("What cannot be told counts as least settled", "[stats]") {
  const LayerStatistics one = layer_of(1, 1, 0), many = layer_of(100, 1, 0);
  LayerStatistics unmeasured = many;
  unmeasured.values = 0;
  const auto told = settling(Pooling::values, {many, one, unmeasured}, {});
  REQUIRE(told.size() == 2);
  CHECK(std::isnan(told[1].error));
  CHECK(least_settled(told) == &told[1]);
  CHECK(least_settled({}) == nullptr);
  LayerStatistics constant = many;
  constant.variance = {0.0};
  CHECK(std::isnan(settling(Pooling::values, {constant}, {})[0].error));
}

// Oracle: the formula by hand: e^2 = 0.04, shift^2 = 0.2, so N = 10 * 0.04 / 0.16.
TEST_CASE("The suggested prior weighs the estimate by its uncertainty", "[stats]") {
  const std::vector<LayerSettling> layers{{"a", 0.2, std::sqrt(0.2)}};
  CHECK(shrinking_prior(layers, 10).value() == Approx(2.5));
  CHECK_FALSE(shrinking_prior(std::vector<LayerSettling>{{"a", 0.2, 0.1}}, 10));
  CHECK_FALSE(shrinking_prior({}, 10));
}

// Oracle: the same images one after the other.
TEST_CASE("Moments and spreads of several images at once have the same bits", "[stats]") {
  constexpr std::size_t kChannels = 3;
  const std::size_t images = GENERATE(1, 16, 37);
  std::mt19937 random(9);
  std::normal_distribution<double> normal(1, 3);
  std::vector<double> sums(images * kChannels), squares(sums.size());
  for (double& v : sums) v = normal(random);
  for (double& v : squares) v = std::abs(normal(random));
  ChannelMoments one(std::vector<float>(kChannels, 0.5f)), many = one;
  Spread spread_one(kChannels), spread_many(kChannels);
  for (std::size_t i = 0; i < images; ++i) {
    const std::span<const double> sum(sums.data() + i * kChannels, kChannels),
        square(squares.data() + i * kChannels, kChannels);
    one.add_image(sum, square, 49);
    spread_one.add(sum, square, 49);
  }
  many.add_images(sums, squares, 49, images);
  spread_many.add(sums, squares, 49, images);
  CHECK(many == one);
  CHECK(spread_many == spread_one);
  CHECK_THROWS_AS(many.add_images(sums, squares, 49, images + 1), ShapeError);
  CHECK_THROWS_AS(spread_many.add(sums, squares, 49, images + 1), ShapeError);
}

// Law: merging any split equals one pass, to the bit.
TEST_CASE("Spreads of shards add up to that of the whole", "[stats]") {
  const LayerStatistics whole = layer_of(30, 3, 0);
  std::mt19937 random(3);
  LayerStatistics parts[3];
  for (LayerStatistics& part : parts) {
    part.sums = ChannelMoments({0.0f});
    part.spread = Spread(1);
  }
  for (std::size_t i = 0; i < 30; ++i) add_image(random, 0, parts[i % 3]);
  Spread merged = parts[2].spread;
  merged.merge(parts[0].spread);
  merged.merge(parts[1].spread);
  CHECK(merged == whole.spread);
  CHECK_THROWS_AS(merged.merge(Spread(2)), ShapeError);
}

namespace {

/// Images of `plane` values around `offset`, whose differences are `scale`, and what the definition makes of them: two
/// passes in long double over the values themselves.
struct FarImages {
  std::vector<std::vector<float>> images;
  LayerStatistics layer{"bn", {0.0}, {1.0}};
  double mean = 0, variance = 0, error = 0;

  FarImages(std::size_t count, std::size_t plane, float offset, double scale, float pivot = 0) {
    std::mt19937 random(11);
    std::normal_distribution<double> normal(0, scale);
    layer.sums = ChannelMoments({pivot});
    layer.spread = Spread(1);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<float>& image = images.emplace_back();
      const double centre = normal(random);
      for (std::size_t k = 0; k < plane; ++k)
        image.push_back(offset + static_cast<float>(centre + normal(random) * (i % 3 == 0 ? 2 : 1)));
      double sum = 0, square = 0;
      for (const float v : image) {
        const double x = static_cast<double>(v) - static_cast<double>(pivot);
        sum += x;
        square += x * x;
      }
      layer.sums.add_image({&sum, 1}, {&square, 1}, static_cast<std::int64_t>(plane));
      layer.spread.add({&sum, 1}, {&square, 1}, static_cast<double>(plane));
    }
    layer.images = static_cast<std::int64_t>(count);
    layer.values = layer.images * static_cast<std::int64_t>(plane);
    layer.batches = 1;
    estimate(Pooling::values, layer);
    by_definition();
  }

 private:
  void by_definition() {
    long double total = 0;
    const auto n = static_cast<long double>(images.size()), plane = static_cast<long double>(images[0].size());
    for (const auto& image : images)
      for (const float v : image) total += static_cast<long double>(v) / (n * plane);
    std::vector<long double> means, squares;
    for (const auto& image : images) {
      means.push_back(0);
      squares.push_back(0);
      for (const float v : image) {
        means.back() += (static_cast<long double>(v) - total) / plane;
        squares.back() += (static_cast<long double>(v) - total) * (static_cast<long double>(v) - total) / plane;
      }
    }
    const auto spread = [&](const std::vector<long double>& values) {
      long double centre = 0, sum = 0;
      for (const long double v : values) centre += v / n;
      for (const long double v : values) sum += (v - centre) * (v - centre) / (n - 1);
      return std::pair(centre, sum);
    };
    const long double v = spread(squares).first;
    mean = static_cast<double>(total);
    variance = static_cast<double>(v);
    error = static_cast<double>(std::sqrt((spread(means).second + spread(squares).second / (4 * v)) / (n * v)));
  }
};

}  // namespace

// Oracle: the definition, on centred values in long double. In the worst case the offset is some 5 000 000 deviations:
// float32 itself tells few values there, and the squares of the sums agree in their first 26 decimal digits.
TEST_CASE("A nearly constant channel far from its pivot tells its error", "[stats]") {
  const auto [offset, scale] = GENERATE(table<float, double>({{0, 1}, {30, 1}, {1000, 1}, {1000, 1e-2}, {8192, 1e-3}}));
  for (const std::size_t plane : {1, 49, 64}) {
    const FarImages far(40, plane, offset, scale);
    CAPTURE(offset, scale, plane);
    // An image's own sum of squares is a double: it rounds off offset^2 / scale^2 times as much of the differences.
    const double apart = static_cast<double>(offset) / scale, tolerance = 1e-9 + 4 * 0x1p-52 * apart * apart;
    CHECK(tolerance < 0.1);
    CHECK(far.layer.variance[0] == Approx(far.variance).epsilon(tolerance));
    CHECK(error_of(far.layer) == Approx(far.error).epsilon(tolerance));
  }
}

// Oracle: the definition in the layer: (16 e^2 + e0^2 v0 / f) / (16 + v0 / f) with f a thousandth of the mean variance.
TEST_CASE("A nearly constant channel counts by its share of the layer", "[stats]") {
  const FarImages plain(32, 64, 0, 1), constant(32, 64, 1000, 1e-3);
  constexpr std::size_t kPlain = 16;
  LayerStatistics layer{"bn", {}, {}};
  std::vector<float> pivots;
  std::vector<ExactSum> sums, squares;
  std::vector<std::array<ExactSum, 3>> products;
  const auto channel = [&](const LayerStatistics& one) {
    layer.mean.push_back(one.mean[0]);
    layer.variance.push_back(one.variance[0]);
    pivots.push_back(one.sums.pivot()[0]);
    sums.push_back(one.sums.sums()[0]);
    squares.push_back(one.sums.squares()[0]);
    products.push_back(one.spread.products()[0]);
  };
  for (std::size_t c = 0; c < kPlain; ++c) channel(plain.layer);
  channel(constant.layer);
  layer.values = plain.layer.values;
  layer.images = plain.layer.images;
  layer.batches = 1;
  layer.sums = {pivots, sums, squares, layer.values, layer.images};
  layer.spread = {products, layer.images};

  LayerStatistics source{"bn", std::vector<double>(kPlain + 1, 0.0), std::vector<double>(kPlain + 1, plain.variance)};
  source.mean.back() = 1000;  // the near-constant channel varied as the others do
  const LayerSettling told = settling(Pooling::values, {layer}, {source})[0];
  const double least = 1e-3 * (kPlain * plain.variance + constant.variance) / (kPlain + 1);
  const double share = constant.variance / least;
  CHECK(share < 0.01);
  CHECK(told.error == Approx(std::sqrt((kPlain * plain.error * plain.error + share * constant.error * constant.error) /
                                       (kPlain + share)))
                          .epsilon(1e-6));
  const double plain_shift = plain.mean * plain.mean, apart = std::sqrt(constant.variance) - std::sqrt(plain.variance),
               moved = (constant.mean - 1000) * (constant.mean - 1000) + apart * apart;
  CHECK(told.shift ==
        Approx(std::sqrt((kPlain * plain_shift / plain.variance + moved / least) / (kPlain + share))).epsilon(1e-6));
  // In its own deviations the channel would have moved by a thousand.
  CHECK(std::sqrt(moved / constant.variance) > 500);
  CHECK(told.shift < 10);
}

// Oracle: a law. What cannot come about from values of this variance is not claimed, whatever a file's sums say.
TEST_CASE("Sums that were rounded claim no more than the variance allows", "[stats]") {
  FarImages far(40, 49, 8192, 1e-3);
  std::vector<std::array<ExactSum, 3>> rounded(1);
  for (std::size_t k = 0; k < 3; ++k)
    rounded[0][k].add(static_cast<double>(far.layer.spread.products()[0][k].value()) * (1 + 1e-9));
  far.layer.spread = {rounded, 40};
  // e^2 <= (n / (n - 1) + n / 4) / n
  CHECK(error_of(far.layer) <= std::sqrt(1.0 / 39 + 0.25) * (1 + 1e-9));
}
