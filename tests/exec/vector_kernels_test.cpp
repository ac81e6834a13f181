#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "shiftnorm/core/aligned.hpp"
#include "vector_elementwise.hpp"
#include "vector_moments.hpp"
#include "vector_products.hpp"

using namespace shiftnorm;

namespace {

/// Runs a test on every instruction set that this processor and this build have in common.
class EachTarget {
 public:
  template <class F>
  explicit EachTarget(F test) {
    for (const auto target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      CAPTURE(hwy::TargetName(target));
      test();
      hwy::SetSupportedTargetsForTest(0);
    }
  }
  EachTarget(const EachTarget&) = delete;
  EachTarget& operator=(const EachTarget&) = delete;
  ~EachTarget() { hwy::GetChosenTarget().DeInit(); }
};

struct Found {
  double mean, variance;
};

/// Oracle: mean and variance by their definition, two passes in long double.
Found by_definition(const AlignedVector<float>& x, std::size_t block, std::size_t channel) {
  const std::size_t n = x.size() / block;
  long double mean = 0, square = 0;
  for (std::size_t p = 0; p < n; ++p) mean += x[p * block + channel];
  mean /= static_cast<long double>(n);
  for (std::size_t p = 0; p < n; ++p) {
    const long double v = x[p * block + channel] - mean;
    square += v * v;
  }
  return {static_cast<double>(mean), static_cast<double>(square / static_cast<long double>(n))};
}

/// What block_moments() leads to.
std::vector<Found> by_kernel(const AlignedVector<float>& x, std::size_t block, float pivot) {
  const std::size_t pixels = x.size() / block;
  const std::vector<float> pivots(block, pivot);
  std::vector<double> sum(block), square(block);
  exec::block_moments(x.data(), pivots.data(), pixels, block, sum.data(), square.data());
  std::vector<Found> out;
  for (std::size_t c = 0; c < block; ++c) {
    const long double n = static_cast<long double>(pixels), s = sum[c];
    out.push_back({static_cast<double>(pivot + s / n), static_cast<double>((square[c] - s * (s / n)) / n)});
  }
  return out;
}

AlignedVector<float> noise(std::size_t floats, float mean, float spread) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  AlignedVector<float> x(floats);
  for (float& v : x) v = mean + spread * normal(random);
  return x;
}

constexpr std::array<std::size_t, 3> kBlocks{16, 8, 1};

/// u = 2^-24; the bounds are those of the header.
void check_moments(const AlignedVector<float>& x, float pivot) {
  EachTarget([&] {
    for (const std::size_t block : kBlocks) {
      if (x.size() % block != 0) continue;
      const std::vector<Found> found = by_kernel(x, block, pivot);
      for (std::size_t c = 0; c < block; ++c) {
        const Found expected = by_definition(x, block, c);
        CAPTURE(block, c, pivot, expected.mean, expected.variance, found[c].mean, found[c].variance);
        const double off = pivot - expected.mean;
        CHECK(std::abs(found[c].mean - expected.mean) <=
              33 * 0x1p-24 * std::sqrt(expected.variance) + 0x1p-51 * std::abs(off));
        CHECK(std::abs(found[c].variance - expected.variance) <=
              300 * 0x1p-24 * expected.variance + 0x1p-50 * off * off);
      }
    }
  });
}

}  // namespace

// Oracle: by_definition().
TEST_CASE("Moments agree with the definition wherever data and pivot are", "[exec]") {
  const std::size_t pixels = GENERATE(1, 2, 11, 12, 13, 49, 196, 3136);
  const float mean = GENERATE(0.0f, 3.0f, -1e4f), spread = GENERATE(1.0f, 1e-3f, 1e15f);
  const float pivot = GENERATE(0.0f, 5.0f, -1e6f);
  CAPTURE(pixels, mean, spread);
  check_moments(noise(pixels * 16, mean, spread), pivot);
}

// 1e-7: roundings of noise do not go the same way. 16 channels of one image.
// Oracle: by_definition().
TEST_CASE("Moments of noise are within 1e-7", "[exec]") {
  const AlignedVector<float> x = noise(std::size_t{16} * 3136, -0.7f, 2.0f);
  EachTarget([&] {
    const std::vector<Found> found = by_kernel(x, 16, 0.5f);
    for (std::size_t c = 0; c < 16; ++c) {
      const Found expected = by_definition(x, 16, c);
      CHECK(std::abs(found[c].mean - expected.mean) < 1e-7 * std::sqrt(expected.variance));
      CHECK(found[c].variance == Approx(expected.variance).epsilon(1e-7));
    }
  });
}

// Oracle: by_definition().
TEST_CASE("Moments bear outliers, wherever they are", "[exec]") {
  const float outlier = GENERATE(1e3f, -1e9f, 1e18f);
  AlignedVector<float> x = noise(std::size_t{16} * 3136, 0.2f, 1.0f);
  const std::size_t pixels = x.size() / 16;
  // Those from which the centre is chosen: one of them, or all, in some channels.
  const int how_many = GENERATE(1, 3);
  const std::array<std::size_t, 3> chosen{pixels / 6, pixels / 2, pixels * 5 / 6};
  for (int i = 0; i < how_many; ++i)
    for (std::size_t c = 0; c < 16; c += 3) x[chosen[static_cast<std::size_t>(i)] * 16 + c] = outlier;
  CAPTURE(outlier, how_many);
  check_moments(x, 0.0f);
}

// Law: a constant's mean is itself and its variance 0, without rounding.
TEST_CASE("A constant channel has no variance", "[exec]") {
  const float value = GENERATE(0.0f, 0.1f, -3e38f, 1e-40f, 1e-20f);
  const AlignedVector<float> x(std::size_t{16} * 1000, value);
  EachTarget([&] {
    for (const std::size_t block : kBlocks)
      for (const Found& f : by_kernel(x, block, value)) {
        CHECK(f.mean == static_cast<double>(value));
        CHECK(f.variance == 0.0);
      }
  });
  check_moments(x, 1.0f);
}

// Squares of float32 run from 2^-298 to 2^256; beyond float's range, but within double's.
// Oracle: by_definition().
TEST_CASE("Moments reach as far as float does", "[exec]") {
  const float spread = GENERATE(1e-42f, 1e-30f, 1e-20f, 3e18f, 1e30f, 6e37f);
  AlignedVector<float> x = noise(std::size_t{16} * 500, 0.0f, spread);
  for (std::size_t i = 0; i < x.size(); i += 16 * 7 + 1) x[i] = 0.5f;  // other channels of the block are ordinary
  for (const float v : x) REQUIRE(std::isfinite(v));
  CAPTURE(spread);
  check_moments(x, 0.0f);
  check_moments(x, spread);
  std::fill(x.begin(), x.end(), std::numeric_limits<float>::max());
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] = std::numeric_limits<float>::lowest();
  check_moments(x, std::numeric_limits<float>::max());
}

// Law: a sum with an infinite or undefined term is not finite, one without is.
TEST_CASE("Infinite and undefined values surface in their channel's sums and in no other's", "[exec]") {
  const float bad = GENERATE(std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN());
  const std::size_t pixels = GENERATE(3, 400), at = GENERATE(0, 1, 2);
  AlignedVector<float> x = noise(16 * pixels, 0.0f, 1.0f);
  x[(at * pixels / 3 + pixels / 6) * 16 + 5] = bad;
  EachTarget([&] {
    std::vector<double> sum(16), square(16);
    const std::vector<float> pivots(16, 0.0f);
    exec::block_moments(x.data(), pivots.data(), pixels, 16, sum.data(), square.data());
    for (std::size_t c = 0; c < 16; ++c) CHECK(std::isfinite(sum[c] + square[c]) == (c != 5));
    exec::block_sums(x.data(), pixels, 16, sum.data());
    for (std::size_t c = 0; c < 16; ++c) CHECK(std::isfinite(sum[c]) == (c != 5));
    exec::block_moments(x.data(), pivots.data(), x.size(), 1, sum.data(), square.data());
    CHECK_FALSE(std::isfinite(sum[0] + square[0]));
  });
}

// Oracle: the sum in long double; 11 roundings of float32 are what a pixel's partial sums cost.
TEST_CASE("Sums over pixels agree with the definition", "[exec]") {
  const std::size_t pixels = GENERATE(1, 10, 49, 3136);
  const float spread = GENERATE(1e-40f, 1.0f, 1e38f);
  const AlignedVector<float> x = noise(16 * pixels, 0.0f, std::min(spread, 5e37f));
  EachTarget([&] {
    for (const std::size_t block : kBlocks) {
      std::vector<double> sum(block);
      exec::block_sums(x.data(), x.size() / block, block, sum.data());
      for (std::size_t c = 0; c < block; ++c) {
        long double expected = 0, magnitudes = 0;
        for (std::size_t i = c; i < x.size(); i += block) {
          expected += x[i];
          magnitudes += std::abs(x[i]);
        }
        CHECK(std::abs(static_cast<double>(sum[c] - expected)) <= static_cast<double>(11 * 0x1p-24L * magnitudes));
      }
    }
  });
}

// Oracle: the standard library's exponential in double. The bounds are those of sigmoid(), with swish's own product
// where it has one.
TEST_CASE("Sigmoid and swish keep float's digits from one end to the other", "[exec]") {
  AlignedVector<float> x;
  for (int i = 0; i <= 200000; ++i) x.push_back(-80 + static_cast<float>(i) * 8e-4f);
  AlignedVector<float> y(x.size());
  EachTarget([&] {
    const std::string target = hwy::TargetName(hwy::SupportedTargets());
    const bool wide = target.starts_with("AVX3"), fused = target.starts_with("AVX");
    const double bound = wide ? 3e-7 : 3.6e-7, growth = wide ? 1.4e-8 : fused ? 0 : 6e-8;
    for (const auto op : {exec::Unary::sigmoid, exec::Unary::swish}) {
      exec::elementwise(op, 0, 0, x.data(), x.size(), y.data());
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const auto v = static_cast<double>(x[i]);
        const double expected = (op == exec::Unary::swish ? v : 1.0) / (1 + std::exp(-v));
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) - expected) /
                                    (std::abs(expected) * (bound + growth * std::abs(v))));
      }
      CHECK(worst < 1);
    }
    const std::vector<float> ends{-1e30f, 1e30f, -std::numeric_limits<float>::infinity(),
                                  std::numeric_limits<float>::infinity()};
    exec::elementwise(exec::Unary::sigmoid, 0, 0, ends.data(), ends.size(), y.data());
    for (std::size_t i = 0; i < ends.size(); ++i) CHECK(y[i] == Approx(ends[i] > 0 ? 1 : 0).margin(1e-34));
  });
}

// Whole vectors and what is left over take different code. Oracle: the definition, and on AVX-512 the whole vectors.
TEST_CASE("Swish keeps what is not finite, and its bits whatever the width", "[exec]") {
  constexpr std::size_t kVector = 16;
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  EachTarget([&] {
    const std::string target = hwy::TargetName(hwy::SupportedTargets());
    for (const std::size_t n : {kVector, std::size_t{1}}) {
      for (const float v : {nan, -nan, infinity, 1e30f, 0.0f}) {
        const std::vector<float> x(n, v);
        std::vector<float> y(n);
        exec::elementwise(exec::Unary::swish, 0, 0, x.data(), n, y.data());
        for (const float found : y) CHECK((std::isnan(v) ? std::isnan(found) : found == Approx(v)));
        exec::elementwise(exec::Unary::sigmoid, 0, 0, x.data(), n, y.data());
        // The scalar target's comparisons drop a NaN.
        if (std::isnan(v) && !target.starts_with("SCALAR"))
          for (const float found : y) CHECK(std::isnan(found));
      }
    }
    if (!target.starts_with("AVX3")) return;
    for (const auto op : {exec::Unary::sigmoid, exec::Unary::swish}) {
      const AlignedVector<float> x = noise(kVector * 64, 0.0f, 20.0f), ones(kVector, 1.0f), zeros(kVector);
      AlignedVector<float> whole(x.size()), halves(x.size());
      exec::elementwise(op, 0, 0, x.data(), x.size(), whole.data());
      exec::affine_sum({x.data(), ones.data(), zeros.data()}, {}, op, 0, 0, x.size() / 8, 8, halves.data());
      CHECK(std::equal(whole.begin(), whole.end(), halves.begin()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        float one;
        exec::elementwise(op, 0, 0, &x[i], 1, &one);
        if (one != whole[i]) FAIL("at " << i);
      }
    }
  });
}

// Oracle: the sum in double, then the function alone, whose own oracle is above or in kernels_test.
TEST_CASE("A normalisation ends with its function as if that came after it", "[exec]") {
  const auto op = GENERATE(exec::Unary::clip, exec::Unary::swish, exec::Unary::hard_swish, exec::Unary::tanh);
  const bool two = GENERATE(false, true);
  constexpr std::size_t kPixels = 23;
  const AlignedVector<float> x = noise(16 * kPixels, 0.5f, 2.0f), y = noise(16 * kPixels, -0.5f, 1.0f),
                             scale = noise(16, 1.0f, 0.5f), shift = noise(16, 0.0f, 1.0f);
  EachTarget([&] {
    for (const std::size_t block : kBlocks) {
      const std::size_t pixels = x.size() / block;
      AlignedVector<float> expected(x.size()), found = x;
      for (std::size_t i = 0; i < x.size(); ++i)
        expected[i] =
            static_cast<float>(static_cast<double>(x[i]) * static_cast<double>(scale[i % block]) +
                               static_cast<double>(shift[i % block]) + (two ? static_cast<double>(y[i]) : 0.0));
      exec::elementwise(op, -1, 2, expected.data(), x.size(), expected.data());
      exec::affine_sum({found.data(), scale.data(), shift.data()}, {two ? y.data() : nullptr}, op, -1, 2, pixels, block,
                       found.data());
      // 1e-6: two roundings of values up to 10.
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(found[i] == Approx(expected[i]).epsilon(1e-6).margin(2e-6));
    }
  });
}
