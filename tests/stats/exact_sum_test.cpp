#include "shiftnorm/stats/exact_sum.hpp"

#include <hwy/targets.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "exact_product.hpp"

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

/// check() on every instruction set that this machine has.
template <class Check>
void on_every_target(Check check) {
  const std::int64_t all = hwy::SupportedTargets() & HWY_TARGETS;
  for (std::int64_t rest = all; rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest & -rest);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    CAPTURE(hwy::TargetName(rest & -rest));
    check();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
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

// Law: exact addition is commutative and associative.
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

// Oracle: the same values one after the other.
TEST_CASE("ExactSum takes rows of values with the same digits", "[stats]") {
  // Alike, as a channel's are; at the edge of what is split; over everything, with values dropped or out of range.
  const int spread = GENERATE(3, 21, 22, 25, 310);
  const std::size_t rows = GENERATE(1, 2, 64, 77), channels = GENERATE(1, 70), apart = GENERATE(1, 3);
  CAPTURE(spread, rows, channels, apart);
  const std::size_t stride = channels + 2;
  std::vector<double> values = wild(rows * stride, spread);
  if (spread == 25)
    for (std::size_t i = 0; i < values.size(); i += 7) values[i] = i % 2 == 0 ? 0.0 : -5e-324;
  if (spread == 22)
    for (std::size_t i = 0; i < values.size(); i += 30) values[i] = std::numeric_limits<double>::quiet_NaN();
  on_every_target([&] {
    std::vector<ExactSum> found(channels * apart), expected(channels);
    add_rows(values.data(), rows, stride, channels, found.data(), apart);
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t r = 0; r < rows; ++r) expected[c].add(values[r * stride + c]);
      CHECK(found[c * apart].valid() == expected[c].valid());
      if (expected[c].valid()) CHECK(found[c * apart] == expected[c]);
      // Merging adds digits as they are, carried or not.
      ExactSum twice = expected[c];
      twice.merge(found[c * apart]);
      for (std::size_t r = 0; r < rows; ++r) expected[c].add(values[r * stride + c]);
      if (expected[c].valid()) CHECK(twice == expected[c]);
    }
  });
}

// Oracle: the same values added one at a time.
TEST_CASE("ExactSum takes rows at both ends of its range and with all bits set", "[stats]") {
  const int exponent = GENERATE(-300, -289, -288, -237, -236, -235, 0, 254, 255, 256, 285, 286, 287);
  const int below = GENERATE(0, 41, 42, 43, 53);  // how far the smallest value lies below the others
  const double sign = GENERATE(1, -1);
  CAPTURE(exponent, below, sign);
  std::vector<double> values(64, sign * std::ldexp(2 - std::numeric_limits<double>::epsilon(), exponent));
  values[7] = -std::ldexp(1 + std::numeric_limits<double>::epsilon(), exponent - below);
  ExactSum expected;
  for (const double v : values) expected.add(v);
  on_every_target([&] {
    ExactSum found;
    add_rows(values.data(), values.size(), 1, 1, &found, 1);
    CHECK(found.valid() == expected.valid());
    if (expected.valid()) CHECK(found == expected);
  });
}

// Oracle: worked by hand; a double would have lost 3e-40 at the first addition.
TEST_CASE("ExactSum cancels completely", "[stats]") {
  ExactSum sum;
  for (const double v : {1e60, 1.0, -1e60, -1.0, 3e-40}) sum.add(v);
  CHECK(static_cast<double>(sum.value()) == 3e-40);
  sum.add(-3e-40);
  CHECK(sum.value() == 0.0L);
}

// Oracle: worked by hand; powers of two are exact.
TEST_CASE("ExactSum keeps small negative sums", "[stats]") {
  ExactSum sum;
  sum.add(-0x1p-60);
  CHECK(sum.value() == -0x1p-60L);
  sum.add(-1.0);
  CHECK(sum.value() == -1.0L - 0x1p-60L);
}

// Law: a sum that was ever out of range says so, merged ones too.
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

// Oracle: by definition: bits below 2^-288 are none of the sum.
TEST_CASE("ExactSum drops what lies below its lowest bit, addend by addend", "[stats]") {
  ExactSum sum;
  sum.add(0x1p-300);
  sum.add(std::numeric_limits<double>::denorm_min());
  CHECK(sum.value() == 0.0L);
  sum.add(0x1p-288);
  CHECK(sum.value() == 0x1p-288L);
}

// Oracle: integer arithmetic, as above: sums of 2^-20 times factors of 2^-10.
TEST_CASE("ExactSum takes products of a sum without rounding", "[stats]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    ExactSum sum;
    __extension__ __int128 whole = 0;
    for (int i = 0; i < 20; ++i) {
      const auto v = static_cast<std::int64_t>(random()) >> 24;
      whole += v;
      sum.add(std::ldexp(static_cast<double>(v), -20));
    }
    const auto factor = static_cast<std::int64_t>(random()) >> (round % 2 == 0 ? 30 : 44);
    const ExactSum product = shiftnorm::stats::times(sum, std::ldexp(static_cast<double>(factor), -10));
    // In parts of 32 bits, each of which a double holds.
    ExactSum expected;
    const bool negative = whole < 0;
    __extension__ auto rest = static_cast<unsigned __int128>(negative ? -whole : whole);
    for (int part = 0; rest != 0; ++part, rest >>= 32) {
      const auto digit = static_cast<std::int64_t>(static_cast<std::uint64_t>(rest) & 0xffffffffU);
      const std::int64_t high = factor / (std::int64_t{1} << 20), low = factor % (std::int64_t{1} << 20);
      expected.add(std::ldexp(static_cast<double>(digit * low) * (negative ? -1 : 1), 32 * part - 30));
      expected.add(std::ldexp(static_cast<double>(digit) * (negative ? -1 : 1), 32 * part - 30) *
                   std::ldexp(static_cast<double>(high), 20));
    }
    CHECK(product == expected);
  }
  ExactSum lost;
  lost.add(std::numeric_limits<double>::infinity());
  CHECK_FALSE(shiftnorm::stats::times(lost, 2).valid());
}
