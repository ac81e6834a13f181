#include "shiftnorm/metrics/label_free.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

namespace {

/// The rows of label_free_golden.py.
std::vector<double> outputs(int seed, int images, int classes, double sharp) {
  std::vector<double> values;
  for (int i = 0; i < images; ++i) {
    double sum = 0;
    for (int k = 0; k < classes; ++k) {
      values.push_back(std::exp(sharp * std::sin(1.0 + 0.7 * i * (k + 1) + 1.3 * k * k + seed)));
      sum += values.back();
    }
    for (int k = 0; k < classes; ++k) values[values.size() - 1 - static_cast<std::size_t>(k)] /= sum;
  }
  return values;
}

const double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// Oracle: numpy.linalg.norm(p, "nuc"), label_free_golden.py. 1e-12: sums of 300 doubles in another order.
TEST_CASE("the nuclear norm is NumPy's, for either side the longer", "[metrics]") {
  const std::vector<double> tall = outputs(1, 60, 5, 3), wide = outputs(2, 4, 7, 3);
  CHECK(nuclear_norm(Rows(tall, 5)).value.value() == Approx(0.6642738337866146).epsilon(1e-12));
  CHECK(nuclear_norm(Rows(wide, 7)).value.value() == Approx(0.6297766641799916).epsilon(1e-12));
}

// Oracle: numpy.linalg.norm(p, "nuc"), label_free_golden.py: many images through the Gram matrix, and few images of
// many classes, as an ordinary run of an ImageNet network has them. 1e-10: what nuclear_norm() promises.
TEST_CASE("the nuclear norm is NumPy's for large matrices", "[metrics]") {
  const std::vector<double> tall = outputs(4, 300, 40, 3), wide = outputs(6, 501, 1000, 3);
  CHECK(nuclear_norm(Rows(tall, 40)).value.value() == Approx(0.23415990063277667).epsilon(1e-10));
  CHECK(nuclear_norm(Rows(wide, 1000)).value.value() == Approx(0.041689261359757326).epsilon(1e-10));
}

// Oracle: by hand: rows all alike have one singular value, sqrt(rows * sum p^2). The roots of a Gram matrix's rounding
// errors would add about 40 * 1e-8 of it; 1e-12 shows that they are noticed. Then two kinds of rows that differ by
// 1e-9 in two classes: a second singular value of sqrt(rows / 2) * 1e-9, lost in a Gram matrix.
TEST_CASE("the nuclear norm keeps small singular values", "[metrics]") {
  std::vector<double> alike;
  double square = 0;
  for (int k = 0; k < 40; ++k) square += std::pow((k + 1) / 820.0, 2);
  for (int i = 0; i < 300; ++i)
    for (int k = 0; k < 40; ++k) alike.push_back((k + 1) / 820.0);
  CHECK(nuclear_norm(Rows(alike, 40)).value.value() == Approx(std::sqrt(square / 40)).epsilon(1e-12));

  std::vector<double> two;
  for (int i = 0; i < 300; ++i) {
    const double apart = i % 2 == 0 ? 1e-9 : -1e-9;
    two.insert(two.end(), {0.5 + apart, 0.5 - apart, 0});
  }
  // Orthogonal directions (1, 1) and (1, -1): singular values sqrt(300 / 2) and sqrt(300 * 2) * 1e-9.
  const double sum = std::sqrt(150.0) + std::sqrt(600.0) * 1e-9;
  CHECK(nuclear_norm(Rows(two, 3)).value.value() * std::sqrt(900.0) - std::sqrt(150.0) ==
        Approx(sum - std::sqrt(150.0)).epsilon(1e-4));  // 1e-4: 2e-8 of 12 leaves five digits
}

// Oracle: by hand. Sure and even: the identity twice over has singular values sqrt(2), sqrt(2); all alike: one of 2.
TEST_CASE("the nuclear norm is largest for sure and even predictions", "[metrics]") {
  const std::vector<double> even{1, 0, 0, 1, 1, 0, 0, 1}, alike{1, 0, 1, 0, 1, 0, 1, 0};
  CHECK(nuclear_norm(Rows(even, 2)).value.value() == Approx(1).epsilon(1e-14));
  CHECK(nuclear_norm(Rows(alike, 2)).value.value() == Approx(2 / std::sqrt(8.0)).epsilon(1e-14));
  CHECK_FALSE(nuclear_norm(Rows({}, 2)).value);
}

// Oracle: scipy.optimize.linear_sum_assignment with a column for each place, label_free_golden.py.
TEST_CASE("COT is the exact assignment", "[metrics]") {
  const std::vector<double> p = outputs(1, 60, 5, 3);
  CHECK(cot_accuracy(Rows(p, 5), std::vector<double>(5, 0.2)).value.value() ==
        Approx(0.5704991064659071).epsilon(1e-12));
  CHECK(cot_accuracy(Rows(p, 5), std::vector{0.5, 0.25, 0.15, 0.1, 0.0}).value.value() ==
        Approx(0.41448796464014825).epsilon(1e-12));
}

// Oracle: by hand. Both rows lean to class 0; one must go to class 1, at least cost the second: (0.9 + 0.4) / 2.
TEST_CASE("COT makes a collapsed prediction pay", "[metrics]") {
  const std::vector<double> p{0.9, 0.1, 0.6, 0.4};
  CHECK(cot_accuracy(Rows(p, 2), std::vector{0.5, 0.5}).value.value() == Approx(0.65).epsilon(1e-14));
  CHECK(cot_accuracy(Rows(p, 2), std::vector{1.0, 0.0}).value.value() == Approx(0.75).epsilon(1e-14));
  CHECK_THROWS_WITH(cot_accuracy(Rows(p, 2), std::vector{0.5, 0.6}), Catch::Contains("COT: 2 shares that sum to 1.1"));
}

// Oracle: by hand. 3 of 4 source images are right, so the threshold is the third score, 0.5; 2 of 5 reach it.
TEST_CASE("ATC counts what reaches the source's threshold", "[metrics]") {
  const std::vector<double> source{0.9, 0.1, 0.5, 0.8}, target{0.5, 0.49, 0.7, 0.0, 0.2};
  CHECK(atc_accuracy(source, {true, false, true, true}, target).value.value() == 0.4);
  CHECK(atc_accuracy(source, std::vector<bool>(4, false), target).value.value() == 0);
  CHECK_FALSE(atc_accuracy(source, std::vector<bool>(4, true), {}).value);
  CHECK_THROWS_AS(atc_accuracy(source, {true}, target), ShapeError);
}

// Law: on the source itself ATC is the accuracy when scores differ.
TEST_CASE("ATC on the source is its accuracy", "[metrics]") {
  const std::vector<double> p = outputs(3, 50, 4, 2);
  const std::vector<double> scores = negative_entropies(Rows(p, 4));
  std::vector<bool> right(50);
  for (std::size_t i = 0; i < 50; ++i) right[i] = i % 3 != 0;
  CHECK(atc_accuracy(scores, right, scores).value.value() == Approx(33.0 / 50).epsilon(1e-14));
}

// Oracle: NumPy by the paper's formula, label_free_golden.py; by hand: two classes at distance 1/2 from the middle of
// each of two axes, log(4 * (1/4 + 1/4) / 1).
TEST_CASE("dispersion is the spread of the predicted classes' means", "[metrics]") {
  const std::vector<double> p = outputs(1, 60, 5, 3);
  const Rows rows(p, 5);
  std::vector<std::size_t> guesses;
  for (std::size_t i = 0; i < 60; ++i) guesses.push_back(rows.guess(i));
  CHECK(dispersion(rows, guesses, 5).value.value() == Approx(1.1945245427219564).epsilon(1e-12));
  const std::vector<double> corners{1, 0, 0, 1, 1, 0, 0, 1};
  CHECK(dispersion(Rows(corners, 2), std::vector<std::size_t>{0, 1, 0, 1}, 2).value.value() ==
        Approx(std::log(2.0)).epsilon(1e-14));
  CHECK_FALSE(dispersion(Rows(corners, 2), std::vector<std::size_t>{0, 0, 0, 0}, 2).value);
  CHECK_THROWS_AS(dispersion(Rows(corners, 2), std::vector<std::size_t>{0, 2, 0, 0}, 2), ShapeError);
}

// Oracle: numpy.linalg.solve on the confusion matrix, label_free_golden.py. 1e-9: the matrix's condition.
TEST_CASE("BBSE solves the confusion matrix", "[metrics]") {
  Predictions source{5, {}, outputs(5, 200, 5, 4)};
  const Rows rows(source.probabilities, 5);
  for (std::size_t i = 0; i < 200; ++i)
    source.labels.push_back(static_cast<std::int32_t>((rows.guess(i) + (i % 7 == 0 ? 1 : 0)) % 5));
  const std::vector<double> target = outputs(1, 60, 5, 3);
  const auto shares = bbse_shares(source, Rows(target, 5)).value;
  REQUIRE(shares);
  const double expected[] = {0.11392561, 0.23537949, 0, 0.50602852, 0.14466638};
  for (std::size_t k = 0; k < 5; ++k) CHECK((*shares)[k] == Approx(expected[k]).margin(1e-8));  // printed digits
}

// Oracle: by hand. Class 0 is always seen, class 1 in half of the cases; 4/5 predicted as 0 are 3/5 of class 0 and half
// of the other 2/5.
TEST_CASE("BBSE by hand, and where it cannot tell", "[metrics]") {
  Predictions source{2, {0, 0, 1, 1}, {1, 0, 1, 0, 1, 0, 0, 1}};
  const std::vector<double> target{1, 0, 1, 0, 1, 0, 1, 0, 0, 1};
  CHECK(bbse_shares(source, Rows(target, 2)).value.value()[0] == Approx(0.6).epsilon(1e-14));
  source.probabilities = {1, 0, 1, 0, 1, 0, 1, 0};  // classes that look alike
  CHECK_FALSE(bbse_shares(source, Rows(target, 2)).value);
  CHECK_THAT(bbse_shares(source, Rows(target, 2)).reason, Catch::Contains("too much alike"));
  source.labels = {0, 0, 0, 0};
  CHECK(bbse_shares(source, Rows(target, 2)).reason == "1 of 2 classes have no source image");
}

// Oracle: by hand, and NumPy for the entropies (label_free_golden.py, printed digits).
TEST_CASE("shares, agreement and entropy leave out what is not finite", "[metrics]") {
  const std::vector<double> a{0.9, 0.1, 0.2, 0.8, kNan, 0.5, 0.7, 0.3}, b{0.6, 0.4, 0.6, 0.4, 0.1, 0.9, 0.7, 0.3};
  CHECK(agreement(Rows(a, 2), Rows(b, 2)).value() == Approx(2.0 / 3));
  CHECK(Rows(a, 2).usable() == 3);
  CHECK(predicted_shares(Rows(a, 2))[0] == Approx(2.0 / 3));
  CHECK(negative_entropies(Rows(a, 2)).size() == 3);
  const std::vector<double> p = outputs(1, 60, 5, 3);
  CHECK(negative_entropies(Rows(p, 5))[0] == Approx(-1.16354421).margin(1e-8));
  CHECK(effective_classes(std::vector{0.25, 0.25, 0.25, 0.25, 0.0}) == Approx(4).epsilon(1e-14));
  CHECK(effective_classes(std::vector{1.0, 0.0}) == 1);
  CHECK(total_variation(std::vector{0.5, 0.5, 0.0}, std::vector{0.25, 0.25, 0.5}) == 0.5);
  CHECK_THROWS_AS(agreement(Rows(a, 2), Rows(b, 4)), ShapeError);
  CHECK_THROWS_AS(Rows(a, 3), ShapeError);
}
