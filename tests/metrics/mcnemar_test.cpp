#include <catch2/catch.hpp>

#include "formula_data.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/metrics/intervals.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

// Oracle: scipy.stats.binomtest(b, b + c).pvalue, SciPy 1.10.1: golden.py.
TEST_CASE("McNemar's p agrees with SciPy's binomial test", "[metrics]") {
  struct Golden {
    std::int64_t b, c;
    double p;
  };
  const auto [b, c, p] = GENERATE(values<Golden>({
      {0, 5, 0.0625},
      {3, 9, 0.14599609375},
      {10, 12, 0.8318119049072266},
      {60, 229, 2.010667634607836e-24},
      {2400, 2600, 0.00488364973751758},
      {480, 1900, 8.138482132218781e-199},
      {1000, 1001, 1.0},
      {5000, 9000, 6.922363849517518e-254},
  }));
  // 1e-9: SciPy's own incomplete beta function; ours is good to about 1e-12 here.
  CHECK(mcnemar_p(b, c) == Approx(p).epsilon(1e-9));
  CHECK(mcnemar_p(c, b) == mcnemar_p(b, c));
}

// Oracle: by hand. 2 * 2^-n for no pair against n; underflow ends in the least p, not in 0 or NaN.
TEST_CASE("McNemar's p at the ends", "[metrics]") {
  CHECK(mcnemar_p(0, 0) == 1);
  CHECK(mcnemar_p(7, 7) == 1);
  CHECK(mcnemar_p(0, 1) == 1);
  CHECK(mcnemar_p(0, 1000) == 0x1p-999);
  CHECK(mcnemar_p(0, 100000) == 0x1p-1022);  // the least normal double: p is never 0
  CHECK(mcnemar_p(100000, 100001) == Approx(1).epsilon(1e-9));
  CHECK_THROWS_AS(mcnemar_p(-1, 3), ShapeError);
}

// Oracle: counts and p by NumPy and SciPy: golden.py.
TEST_CASE("McNemar counts the discordant pairs", "[metrics]") {
  const McNemar result = mcnemar(test::formula_data(1), test::formula_data(2));
  CHECK(result.only_first == 19);
  CHECK(result.only_second == 83);
  CHECK(result.p == Approx(1.0158259578897715e-10).epsilon(1e-9));
}

// Law: a paired test needs pairs.
TEST_CASE("McNemar refuses other images", "[metrics]") {
  Predictions other = test::formula_data(2);
  other.labels[3] = (other.labels[3] + 1) % 5;
  CHECK_THROWS_WITH(mcnemar(test::formula_data(1), other),
                    Catch::Contains("expected the same images in the same order"));
}
