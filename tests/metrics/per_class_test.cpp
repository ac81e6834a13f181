#include <catch2/catch.hpp>
#include <cmath>

#include "formula_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

// Oracle: scikit-learn 1.2.1, confusion_matrix and precision_recall_fscore_support: golden.py.
TEST_CASE("Confusion and class scores agree with scikit-learn", "[metrics]") {
  const Predictions p = test::formula_data(2);
  CHECK(confusion_matrix(p) ==
        std::vector<std::int64_t>{23, 5, 3, 5, 10, 10, 22, 6, 2, 5, 6, 6, 20, 5, 8, 5, 5, 6, 21, 5, 3, 6, 1, 3, 20});
  const std::vector<std::int64_t> support{46, 45, 45, 42, 33};
  const std::vector<double> precision{0.48936170212765956, 0.5, 0.5555555555555556, 0.5833333333333334,
                                      0.4166666666666667};
  const std::vector<double> recall{0.5, 0.4888888888888889, 0.4444444444444444, 0.5, 0.6060606060606061};
  const std::vector<double> f1{0.4946236559139785, 0.4943820224719101, 0.49382716049382713, 0.5384615384615384,
                               0.4938271604938272};
  const std::vector<ClassScores> scores = per_class(p);
  REQUIRE(scores.size() == 5);
  for (std::size_t c = 0; c < 5; ++c) {
    CHECK(scores[c].support == support[c]);
    // Quotients of equal integers: only the printed digits could differ.
    CHECK(scores[c].precision.value.value() == Approx(precision[c]).epsilon(1e-15));
    CHECK(scores[c].recall.value.value() == Approx(recall[c]).epsilon(1e-15));
    CHECK(scores[c].f1.value.value() == Approx(f1[c]).epsilon(1e-15));
  }
}

// Oracle: by hand. Class 0: never predicted; 1: predicted twice, no image; 2: neither.
TEST_CASE("Undefined class scores are absent with a reason", "[metrics]") {
  const std::vector<ClassScores> scores = per_class({3, {0, 0}, {0, 1, 0, 0, 1, 0}});
  CHECK(scores[0].precision.reason == "never predicted");
  CHECK(scores[0].recall.value.value() == 0);
  CHECK(scores[0].f1.value.value() == 0);
  CHECK(scores[1].precision.value.value() == 0);
  CHECK(scores[1].recall.reason == "no image of this class");
  CHECK_FALSE(scores[1].recall.value);
  CHECK(scores[2].f1.reason == "no image of this class and never predicted");
}

// Oracle: worked by hand: what has no largest output is not a prediction.
TEST_CASE("An image with a NaN is missed, and in no cell of the confusion", "[metrics]") {
  const Predictions p{2, {0, 1}, {std::nan(""), 1, 0.4, 0.6}};
  CHECK(confusion_matrix(p) == std::vector<std::int64_t>{0, 0, 0, 1});
  CHECK(per_class(p)[0].support == 1);
  CHECK(per_class(p)[0].recall.value.value() == 0);
}
