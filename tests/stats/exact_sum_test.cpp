#include "shiftnorm/stats/exact_sum.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using shiftnorm::stats::ExactSum;

namespace {

/// Doubles of both signs over many magnitudes.
std::vector<double> wild(std::size_t count, int spread) {
  std::mt19937_64 random(3);
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) {
    const double mantissa = 1.0 + static_cast<double>(random() >> 12) * 0x1p-52;
    out.push_back(std::ldexp((random() & 1) != 0 ? mantissa : -mantissa,
                             static_cast<int>(random() % static_cast<unsigned>(2 * spread)) - spread));
  }
  return out;
}

ExactSum sum_of(const std::vector<double>& values) {
  ExactSum sum;
  for (const double v : values) sum.add(v);
  return sum;
}

}  // namespace

// Oracle: integer arithmetic. The addends are integers times 2^-20 that fit 128 bits together.
TEST_CASE("ExactSum equals integer arithmetic", "[stats]") {
  std::mt19937_64 random(5);
  ExactSum sum;
  __extension__ __int128 expected = 0;
  for (int i = 0; i < 10000; ++i) {
    const auto v = static_cast<std::int64_t>(random()) >> (random() % 40 + 11);  // at most 53 bits: exact as double
    expected += v;
    sum.add(std::ldexp(static_cast<double>(v), -20));
  }
  CHECK(sum.value() == std::ldexp(static_cast<long double>(expected), -20));
}

TEST_CASE("ExactSum has the same digits for any order and grouping", "[stats]") {
  std::vector<double> values = wild(5000, 250);
  const ExactSum forwards = sum_of(values);
  std::mt19937 random(1);
  std::shuffle(values.begin(), values.end(), random);
  CHECK(sum_of(values) == forwards);
  ExactSum merged;
  for (std::size_t at = 0; at < values.size(); at += 700)
    merged.merge(sum_of({values.begin() + static_cast<std::ptrdiff_t>(at),
                         values.begin() + static_cast<std::ptrdiff_t>(std::min(at + 700, values.size()))}));
  CHECK(merged == forwards);
}

TEST_CASE("ExactSum cancels completely", "[stats]") {
  ExactSum sum;
  for (const double v : {1e60, 1.0, -1e60, -1.0, 3e-40}) sum.add(v);
  CHECK(static_cast<double>(sum.value()) == 3e-40);
  sum.add(-3e-40);
  CHECK(sum.value() == 0.0L);
}

TEST_CASE("ExactSum keeps small negative sums", "[stats]") {
  ExactSum sum;
  sum.add(-0x1p-60);
  CHECK(sum.value() == -0x1p-60L);
  sum.add(-1.0);
  CHECK(sum.value() == -1.0L - 0x1p-60L);
}

TEST_CASE("ExactSum marks infinities, NaN and values out of range for good", "[stats]") {
  const double bad =
      GENERATE(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), 0x1p300);
  ExactSum sum;
  sum.add(1.0);
  REQUIRE(sum.valid());
  sum.add(bad);
  CHECK_FALSE(sum.valid());
  CHECK(std::isnan(sum.value()));
  ExactSum other;
  other.merge(sum);
  CHECK_FALSE(other.valid());
}

TEST_CASE("ExactSum drops what lies below its lowest bit, addend by addend", "[stats]") {
  ExactSum sum;
  sum.add(0x1p-300);
  sum.add(std::numeric_limits<double>::denorm_min());
  CHECK(sum.value() == 0.0L);
  sum.add(0x1p-288);
  CHECK(sum.value() == 0x1p-288L);
}
