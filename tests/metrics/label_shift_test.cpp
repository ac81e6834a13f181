#include "shiftnorm/metrics/label_shift.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

using namespace shiftnorm::metrics;

namespace {

/// As label_shift_golden.py has them.
std::vector<double> uniform(std::size_t count, std::uint64_t seed) {
  std::vector<double> out;
  std::uint64_t x = seed;
  for (std::size_t i = 0; i < count; ++i) {
    x = (1103515245 * x + 12345) % (std::uint64_t{1} << 31);
    out.push_back(static_cast<double>(x) / 2147483648.0);
  }
  return out;
}

std::vector<double> least_squares(std::uint64_t seed) {
  std::vector<double> a = uniform(40, seed), b = uniform(8, seed + 10);
  for (double& v : a) v -= 0.3;
  for (double& v : b) v -= 0.3;
  std::vector<double> normal(25, 0.0), right(5, 0.0);
  for (std::size_t r = 0; r < 8; ++r)
    for (std::size_t i = 0; i < 5; ++i) {
      right[i] += a[r * 5 + i] * b[r];
      for (std::size_t j = 0; j < 5; ++j) normal[i * 5 + j] += a[r * 5 + i] * a[r * 5 + j];
    }
  return nonnegative_least_squares(normal, right);
}

std::vector<double> some_rows() {
  std::vector<double> rows = uniform(60, 7);
  for (std::size_t i = 0; i < 60; i += 3) {
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += rows[i + k] = rows[i + k] * rows[i + k] * rows[i + k];
    for (std::size_t k = 0; k < 3; ++k) rows[i + k] /= sum;
  }
  return rows;
}

void check_near(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).epsilon(1e-9).margin(1e-9));
}

}  // namespace

// Oracle: SciPy 1.10.1's nnls (label_shift_golden.py). 1e-9: normal equations square the condition, about 10 here.
TEST_CASE("Least squares that are not negative", "[label_shift]") {
  check_near(least_squares(1), {0.390881344873919, 0.0523131855418904, 0, 0, 0.174311141723359});
  check_near(least_squares(2), {0, 0.0924805033559997, 0.441801120928768, 0, 0});
  check_near(least_squares(3), {0.0736266751099749, 0, 0, 0, 0.235466337991133});
}

// Oracle: the same steps in NumPy (label_shift_golden.py).
TEST_CASE("Shares by expectation maximisation", "[label_shift]") {
  const std::vector<double> rows = some_rows(), source{0.5, 0.3, 0.2};
  check_near(em_shares(Rows(rows, 3), source), {0.20193387293608, 0.295978779102424, 0.502087347961497});
}

// Law: a sum over images has the same bits in any order, and a row that counts twice is two rows.
TEST_CASE("Shares do not depend on the order of the images", "[label_shift]") {
  const std::vector<double> rows = some_rows(), source{0.5, 0.3, 0.2};
  std::vector<double> backwards, twice = rows;
  for (std::size_t i = 60; i > 0; i -= 3) backwards.insert(backwards.end(), &rows[i - 3], &rows[i - 3] + 3);
  CHECK(em_shares(Rows(backwards, 3), source) == em_shares(Rows(rows, 3), source));
  twice.insert(twice.end(), rows.begin(), rows.begin() + 3);
  std::vector<std::uint32_t> counts(20, 1);
  counts[0] = 2;
  check_near(em_shares(Rows(rows, 3), source, 100, counts), em_shares(Rows(twice, 3), source));
}

// Law: a target whose moments are a mixture of the classes' has just its shares.
TEST_CASE("Moments of a mixture give its shares back", "[label_shift]") {
  const std::vector<LayerMoments> classes{{{0, 1, 2}, {1, 2, 5}}, {{1, 0, 1}, {3, 1, 2}}, {{4, 2, 0}, {17, 6, 1}}};
  const std::vector<double> even(3, 1.0 / 3), shares{0.6, 0, 0.4};
  MomentEquations equations(3);
  equations.add_layer(classes, even);
  equations.add_layer(classes, even);
  LayerMoments target{{0, 0, 0}, {0, 0, 0}};
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t c = 0; c < 3; ++c) {
      target.mean[c] += shares[k] * classes[k].mean[c];
      target.square[c] += shares[k] * classes[k].square[c];
    }
  std::vector<double> right(3, 0.0);
  for (std::size_t layer = 0; layer < 2; ++layer) equations.add_target(layer, target, right);
  check_near(equations.solved(right), shares);
}
