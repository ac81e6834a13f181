#include "shiftnorm/imaging/histogram.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <numeric>
#include <random>

using shiftnorm::imaging::Histogram;

namespace {

bool same(const Histogram& a, const Histogram& b) {
  return a.counts() == b.counts() && a.low() == b.low() && a.width() == b.width() && a.min() == b.min() &&
         a.max() == b.max() && a.values() == b.values() && a.not_finite() == b.not_finite();
}

}  // namespace

// Oracle: by hand. 0..999 needs bins of 4: of 2 there would be 500.
TEST_CASE("a histogram widens its bins until the values fit", "[imaging]") {
  Histogram h(0);
  for (int v = 0; v < 1000; ++v) h.add(v, 3);
  CHECK(h.width() == 4);
  CHECK(h.low() == 0);
  CHECK(h.counts().size() == 250);
  CHECK(std::ranges::all_of(h.counts(), [](std::int64_t n) { return n == 12; }));
  CHECK(h.min() == 0);
  CHECK(h.max() == 999);
  CHECK(h.coarser(100).width() == 16);
  CHECK(h.coarser(100).counts().front() == 48);
  Histogram below;
  below.add(-1.5);
  below.add(1.5);
  CHECK(below.width() == 0.015625);  // 3 / 0.015625 = 192 bins and one
  CHECK(below.low() == -1.5);
}

// Law: order and division of the values do not matter.
TEST_CASE("a histogram is the same for any order and any parts", "[imaging]") {
  std::mt19937 random(5);
  std::vector<double> values(500);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = (static_cast<double>(random() % 2000) - 900) / (i % 7 == 0 ? 1 : 64);
  Histogram once, backwards, left, right;
  for (const double v : values) once.add(v);
  for (std::size_t i = values.size(); i-- > 0;) backwards.add(values[i]);
  for (std::size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? left : right).add(values[i]);
  Histogram other = right;
  other.merge(left);
  left.merge(right);
  CHECK(same(once, backwards));
  CHECK(same(once, left));
  CHECK(same(once, other));
  CHECK(std::accumulate(once.counts().begin(), once.counts().end(), std::int64_t{0}) == 500);
}

// Oracle: by hand: two numbers that are not finite, three that are.
TEST_CASE("a histogram takes any number", "[imaging]") {
  Histogram h;
  h.add(std::numeric_limits<double>::quiet_NaN());
  h.add(std::numeric_limits<double>::infinity());
  h.add(std::numeric_limits<double>::max());
  h.add(-std::numeric_limits<double>::max());
  h.add(1e-300);
  CHECK(h.not_finite() == 2);
  CHECK(h.values() == 3);
  CHECK(h.counts().size() <= Histogram::kBins);
  CHECK(std::accumulate(h.counts().begin(), h.counts().end(), std::int64_t{0}) == 3);
  CHECK(Histogram().counts().empty());
}
