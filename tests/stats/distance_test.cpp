#include "shiftnorm/stats/distance.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::stats;
using Catch::Matchers::Contains;

// Worked by hand. Channel 0: N(0, 1) to N(2, 4); channel 1: N(1, 4) to N(1, 4).
// KL(a, b) = ln 2 + (1 + 4) / 8 - 1/2, KL(b, a) = -ln 2 + (4 + 4) / 2 - 1/2: together 0.625 + 4 - 1 = 3.625.
// W2^2 = (2 - 0)^2 + (2 - 1)^2 = 5.
TEST_CASE("Distances of Gaussians, by hand", "[stats]") {
  const Statistics a{{"bn", {0, 1}, {1, 4}}}, b{{"bn", {2, 1}, {4, 4}}};
  const LayerDistance d = distances(a, b).at(0);
  CHECK(d.name == "bn");
  CHECK(d.mean_shift == Approx(1.0));      // (2 + 0) / 2
  CHECK(d.variance_ratio == Approx(2.0));  // sqrt(4 * 1)
  CHECK(d.symmetric_kl == Approx(3.625 / 2));
  CHECK(d.wasserstein == Approx(std::sqrt(5.0 / 2)));
  CHECK(d.constant == 0);
}

// Laws: no distance to oneself; divergence and transport are symmetric, the ratio inverts.
TEST_CASE("Distances obey their laws", "[stats]") {
  const Statistics a{{"x", {0.5, -3, 7}, {0.1, 2, 30}}}, b{{"x", {0.25, -2, 9}, {0.3, 5, 1}}};
  const LayerDistance self = distances(a, a)[0], there = distances(a, b)[0], back = distances(b, a)[0];
  CHECK(self.mean_shift == 0);
  CHECK(self.variance_ratio == 1);
  CHECK(self.symmetric_kl == Approx(0).margin(1e-15));  // two quotients that round to 1
  CHECK(self.wasserstein == 0);
  CHECK(there.symmetric_kl == Approx(back.symmetric_kl));
  CHECK(there.wasserstein == Approx(back.wasserstein));
  CHECK(there.variance_ratio == Approx(1 / back.variance_ratio));
}

// Oracle: the formulas of stats/distance.hpp by hand: (2^2 + 3^2) / 2 under the root.
TEST_CASE("Constant channels are counted and left out, but still lie apart", "[stats]") {
  const LayerDistance some = distances({{"x", {0, 0}, {0, 1}}}, {{"x", {3, 2}, {0, 1}}})[0];
  CHECK(some.constant == 1);
  CHECK(some.mean_shift == Approx(2));
  CHECK(some.wasserstein == Approx(std::sqrt(13.0 / 2)));
  const LayerDistance all = distances({{"x", {0}, {0}}}, {{"x", {3}, {1}}})[0];
  CHECK(std::isnan(all.mean_shift));
  CHECK(std::isnan(all.symmetric_kl));
}

// Law: only the same layers have a distance.
TEST_CASE("Statistics of different networks have no distance", "[stats]") {
  CHECK_THROWS_WITH(distances({{"a", {0}, {1}}}, {{"b", {0}, {1}}}),
                    Contains("layer 'b' with 1 channels; expected 'a' with 1"));
  CHECK_THROWS_AS(distances({{"a", {0}, {1}}}, {}), ShapeError);
}
