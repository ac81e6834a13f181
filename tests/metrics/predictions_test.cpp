#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "formula_data.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

// Oracle: by hand. softmax(0, ln 3) = (1/4, 3/4); a shift of all logits changes nothing.
TEST_CASE("softmax of a row, also far from zero", "[metrics]") {
  const auto offset = GENERATE(0.0F, 64.0F, -1024.0F);
  const std::vector<float> logits{offset, offset + 2.0F};
  const std::vector<double> p = softmax(logits, 2);
  // The difference of the logits is exact in float, so only exp and the division round.
  CHECK(p[1] == Approx(1 / (1 + std::exp(-2.0))).epsilon(1e-15));
  CHECK(p[0] + p[1] == Approx(1).epsilon(1e-15));
}

// Oracle: the definition in the extended reals; what is undefined there is NaN.
TEST_CASE("softmax of infinities and NaN", "[metrics]") {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits{-kInf, 0, kInf, 0, kNan, 0, 0, kNan};
  const std::vector<double> p = softmax(logits, 2);
  CHECK(p[0] == 0);
  CHECK(p[1] == 1);
  for (const std::size_t k : {2U, 4U, 5U, 6U, 7U}) CHECK(std::isnan(p[k]));
  CHECK_THROWS_WITH(softmax(logits, 3), "softmax: 8 logits; expected a multiple of 3 classes");
  CHECK_THROWS_AS(softmax(logits, 0), ShapeError);
}

// Oracle: numpy.argmax takes the first of equal values; the -1 is our own rule.
TEST_CASE("predicted takes the first of equal values, and nothing from a NaN", "[metrics]") {
  const Predictions p{3, {0, 0, 0}, {0.2, 0.4, 0.4, 0.1, 0.2, 0.7, 0.5, std::nan(""), 0.5}};
  CHECK(predicted(p) == std::vector<std::int32_t>{1, 2, -1});
}

// Law: lengths and labels are checked before anything is scored.
TEST_CASE("Predictions that do not fit are refused", "[metrics]") {
  CHECK_THROWS_WITH(predicted({3, {0, 1}, {1, 0, 0}}), "predictions: 3 probabilities; expected 2 images x 3 classes");
  CHECK_THROWS_WITH(predicted({2, {0, 2}, {1, 0, 0, 1}}), "predictions: image 1 has label 2; expected 0 to 1");
  CHECK_THROWS_WITH(predicted({2, {-1}, {1, 0}}), "predictions: image 0 has label -1; expected 0 to 1");
  CHECK_THROWS_WITH(predicted({0, {}, {}}), "predictions: 0 classes; expected at least 1");
}
