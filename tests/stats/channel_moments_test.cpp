#include "shiftnorm/stats/channel_moments.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm::stats;
using Catch::Matchers::WithinRel;

namespace {

/// One image of one channel, summed around the pivot as kernels do.
void add(ChannelMoments& moments, const std::vector<float>& values) {
  double sum = 0, square = 0;
  for (const float v : values) {
    const double d = static_cast<double>(v) - static_cast<double>(moments.pivot()[0]);
    sum += d;
    square += d * d;
  }
  moments.add_image({&sum, 1}, {&square, 1}, static_cast<std::int64_t>(values.size()));
}

std::vector<float> noise(std::size_t n, float offset, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(offset + static_cast<float>(random() % 2000) * 1e-3f);
  return out;
}

/// Variance by its definition, two passes in long double.
double two_pass(const std::vector<float>& values, long double divisor) {
  long double mean = 0, total = 0;
  for (const float v : values) mean += v;
  mean /= static_cast<long double>(values.size());
  for (const float v : values) total += (v - mean) * (v - mean);
  return static_cast<double>(total / divisor);
}

}  // namespace

// Oracle: variance by its definition, two passes in long double (two_pass above).
TEST_CASE("ChannelMoments agrees with the definition far from zero and from its pivot", "[stats]") {
  const float offset = GENERATE(0.0f, 1e4f), pivot = GENERATE(0.0f, 1e4f);
  const std::vector<float> values = noise(640, offset, 2);
  ChannelMoments moments({pivot});
  for (std::size_t i = 0; i < values.size(); i += 64)
    add(moments,
        {values.begin() + static_cast<std::ptrdiff_t>(i), values.begin() + static_cast<std::ptrdiff_t>(i) + 64});
  // 1e-6: with the pivot 1e4 off, squares of 1e8 keep 16 digits of doubles and the variance of 1/3 loses nine of them.
  CHECK_THAT(moments.variance(Divisor::population)[0], WithinRel(two_pass(values, 640), 1e-6));
  CHECK_THAT(moments.variance(Divisor::sample)[0], WithinRel(two_pass(values, 639), 1e-6));
  CHECK(moments.images() == 10);
  CHECK(moments.values() == 640);
}

// Law: merging any split equals one pass, to the bit.
TEST_CASE("ChannelMoments merges to the same bits as one pass, for any split", "[stats]") {
  ChannelMoments whole({0.5f}), left({0.5f}), right({0.5f});
  for (unsigned i = 0; i < 40; ++i) {
    const std::vector<float> image = noise(33, static_cast<float>(i), i);
    add(whole, image);
    add(i % 3 == 0 ? left : right, image);
  }
  right.merge(left);
  CHECK(right == whole);
  CHECK(right.mean()[0] == whole.mean()[0]);
  CHECK(right.variance(Divisor::population)[0] == whole.variance(Divisor::population)[0]);
}

// Law: no variance is negative; of equal values it is zero but for rounding.
TEST_CASE("A constant channel has variance zero, never below", "[stats]") {
  ChannelMoments moments({0.1f});
  for (int i = 0; i < 7; ++i) add(moments, std::vector<float>(100, 1.7f));
  CHECK(moments.variance(Divisor::population)[0] >= 0.0);
  CHECK(moments.variance(Divisor::population)[0] < 1e-15);  // squares of 1.6 summed 700 times in double
  CHECK_THAT(moments.mean()[0], WithinRel(static_cast<double>(1.7f), 1e-14));
}

// Law: N - 1 of one value and the mean of none are undefined.
TEST_CASE("ChannelMoments refuses what has no answer", "[stats]") {
  ChannelMoments moments({0.0f});
  CHECK_THROWS_AS(moments.mean(), std::domain_error);
  add(moments, {1.0f});
  CHECK(moments.variance(Divisor::population)[0] == 0.0);
  CHECK_THROWS_AS(moments.variance(Divisor::sample), std::domain_error);
  CHECK_THROWS_AS(moments.merge(ChannelMoments({1.0f})), shiftnorm::ShapeError);
  CHECK(moments.invalid_channel() == -1);
  add(moments, {std::numeric_limits<float>::quiet_NaN()});
  CHECK(moments.invalid_channel() == 0);
}
