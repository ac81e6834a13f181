#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>

#include "formula_data.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/random.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

namespace {

/// `right` of `images` images predicted right, with certainty.
Predictions certain(std::size_t images, std::size_t right) {
  Predictions p{2, std::vector<std::int32_t>(images, 0), {}};
  for (std::size_t i = 0; i < images; ++i) {
    p.probabilities.push_back(i < right ? 1 : 0);
    p.probabilities.push_back(i < right ? 0 : 1);
  }
  return p;
}

}  // namespace

// Oracle: the bootstrap of a share is a binomial; its quantiles by scipy.stats.binom(400, 0.3).ppf: 102 and 138 of 400.
TEST_CASE("The interval of an accuracy is the binomial's", "[metrics]") {
  const std::optional<Interval> interval =
      bootstrap_interval(metric("accuracy"), certain(400, 120), {20000, 0.95, 3, 1});
  REQUIRE(interval);
  // One image in 400: the standard error of a 2.5 % quantile from 20000 draws is about 0.4 images, and quantiles are
  // steps.
  CHECK(interval->low == Approx(102.0 / 400).margin(1.01 / 400));
  CHECK(interval->high == Approx(138.0 / 400).margin(1.01 / 400));
}

// Oracle: normal theory. The difference of paired shares has variance ((b + c) - (b - c)^2 / n) / n^2.
TEST_CASE("The interval of a difference knows that the images are the same", "[metrics]") {
  const Predictions a = certain(1000, 500), b = certain(1000, 560);
  const std::optional<PairedDifference> paired = bootstrap_paired(metric("accuracy"), a, b, {20000, 0.95, 5, 2});
  REQUIRE(paired);
  const double deviation = std::sqrt(60 - 60 * 60 / 1000.0) / 1000;
  CHECK(paired->difference == Approx(0.06));
  // 0.001: one image of 1000; quantiles are steps.
  CHECK(paired->interval.low == Approx(0.06 - 1.96 * deviation).margin(0.001));
  CHECK(paired->interval.high == Approx(0.06 + 1.96 * deviation).margin(0.001));
  CHECK(paired->p == Approx(2.0 / 20001));
  const std::optional<Interval> same = bootstrap_difference(metric("accuracy"), a, b, {20000, 0.95, 5, 1});
  CHECK(same->low == paired->interval.low);
}

// Law: a mode against itself differs by nothing, with certainty.
TEST_CASE("No difference from itself", "[metrics]") {
  const Predictions p = test::formula_data(1);
  const std::optional<PairedDifference> paired = bootstrap_paired(metric("nll"), p, p, {});
  REQUIRE(paired);
  CHECK(paired->interval.low == 0);
  CHECK(paired->interval.high == 0);
  CHECK(paired->p == 1);
}

// Law: threads change nothing; another seed does.
TEST_CASE("The bootstrap is the same for any number of threads", "[metrics]") {
  const Predictions a = test::formula_data(1), b = test::formula_data(2);
  for (const MetricSpec& spec : metric_table()) {
    INFO(spec.name);
    if (spec.name == "top5_accuracy") continue;  // there are five classes
    const std::optional<Interval> one = bootstrap_difference(spec, a, b, {501, 0.9, 7, 1});
    REQUIRE(one);
    for (const int threads : {2, 3, 8}) {
      const std::optional<Interval> many = bootstrap_difference(spec, a, b, {501, 0.9, 7, threads});
      CHECK(one->low == many->low);
      CHECK(one->high == many->high);
    }
    CHECK(bootstrap_difference(spec, a, b, {501, 0.9, 8, 1})->low != one->low);
    const double point = *score(spec, b).value - *score(spec, a).value;
    CHECK(one->low < point);
    CHECK(point < one->high);
  }
}

TEST_CASE("No interval where the metric is undefined or there is one image", "[metrics]") {
  const Predictions one{2, {0}, {1, 0}}, broken{2, {0, 1}, {std::nan(""), 1, 0, 1}};
  CHECK_FALSE(bootstrap_interval(metric("accuracy"), one, {}));
  CHECK_FALSE(bootstrap_interval(metric("nll"), broken, {}));
  CHECK(bootstrap_interval(metric("accuracy"), broken, {}));
}

TEST_CASE("Bootstrap options out of range are refused", "[metrics]") {
  const Predictions p = certain(4, 2);
  CHECK_THROWS_WITH(bootstrap_interval(metric("accuracy"), p, {0, 0.95, 0, 1}),
                    "bootstrap: resamples = 0; expected 1 to 100000000");
  CHECK_THROWS_WITH(bootstrap_interval(metric("accuracy"), p, {10, 95, 0, 1}),
                    "bootstrap: level = 95; expected a number between 0 and 1");
  CHECK_THROWS_WITH(bootstrap_interval(metric("accuracy"), p, {10, 0.95, 0, 0}),
                    "bootstrap: threads = 0; expected at least 1");
  CHECK_THROWS_AS(bootstrap_difference(metric("accuracy"), p, certain(5, 2), {}), ShapeError);
}

// Oracle: the definition of uniform. chi-square with 6 degrees of freedom; 22.46 is its 99.9 % quantile.
TEST_CASE("Indices are drawn evenly", "[metrics]") {
  std::array<double, 7> drawn{};
  for (std::uint64_t stream = 0; stream < 700; ++stream) {
    Random random(11, stream);
    for (int i = 0; i < 100; ++i) drawn[random.below(7)] += 1;
  }
  double chi = 0;
  for (const double n : drawn) chi += (n - 10000) * (n - 10000) / 10000;
  CHECK(chi < 22.46);
  // Bound just above 2^31: taking a remainder would draw the lower half twice as often.
  Random random(1, 1);
  const std::uint32_t bound = 0x80000001U + 0x20000000U;
  int low = 0;
  for (int i = 0; i < 20000; ++i) low += random.below(bound) < bound / 2 ? 1 : 0;
  CHECK(std::abs(low - 10000) < 330);  // binomial: deviation 71; 330 is 4.6 of them
}

// Law: when every image is its own cluster nothing changes; when images come in identical pairs, drawing pairs is
// drawing from half as many images.
TEST_CASE("Clusters are drawn whole", "[metrics]") {
  const Predictions p = test::formula_data(2);
  Bootstrap options{400, 0.9, 11};
  const std::optional<Interval> alone = bootstrap_interval(metric("accuracy"), p, options);
  for (std::uint32_t i = 0; i < p.images(); ++i) options.clusters.push_back(i);
  const std::optional<Interval> named = bootstrap_interval(metric("accuracy"), p, options);
  CHECK(alone->low == named->low);
  CHECK(alone->high == named->high);

  Predictions twice{p.classes, {}, {}};
  options.clusters.clear();
  for (std::uint32_t i = 0; i < p.images(); ++i) {
    for (int copy = 0; copy < 2; ++copy) {
      twice.labels.push_back(p.labels[i]);
      twice.probabilities.insert(twice.probabilities.end(), p.probabilities.begin() + 5 * i,
                                 p.probabilities.begin() + 5 * (i + 1));
      options.clusters.push_back(i);
    }
  }
  const std::optional<Interval> pairs = bootstrap_interval(metric("accuracy"), twice, options);
  CHECK(pairs->low == Approx(alone->low).epsilon(1e-12));
  CHECK(pairs->high == Approx(alone->high).epsilon(1e-12));
  options.clusters.clear();
  CHECK(bootstrap_interval(metric("accuracy"), twice, options)->low > pairs->low);

  options.clusters.assign(twice.images(), 0);
  CHECK_FALSE(bootstrap_interval(metric("accuracy"), twice, options));
  options.clusters[3] = 2;
  CHECK_THROWS_WITH(bootstrap_interval(metric("accuracy"), twice, options), "bootstrap: cluster 1 of 3 has no image");
  options.clusters.resize(4);
  CHECK_THROWS_WITH(bootstrap_interval(metric("accuracy"), twice, options),
                    "bootstrap: clusters of 4 images; expected 422");
}

// Oracle: the formula of scipy.stats.bootstrap (method BCa) on the same numbers: golden.py.
TEST_CASE("The BCa interval is SciPy's", "[metrics]") {
  std::vector<double> values, jackknife;
  for (int k = 0; k < 200; ++k) values.push_back(k * k * 7 % 211 / 211.0);
  for (int k = 1; k <= 30; ++k) jackknife.push_back(std::sqrt(k));
  std::ranges::sort(values);
  const std::optional<Interval> interval = bca_interval(values, 0.55, jackknife, 0.9);
  REQUIRE(interval);
  // 1e-12: two implementations of the normal quantile, each good to its last digits.
  CHECK(interval->low == Approx(0.0757554328977019).epsilon(1e-12));
  CHECK(interval->high == Approx(0.9610094347380275).epsilon(1e-12));
  CHECK_FALSE(bca_interval(values, 2.0, jackknife, 0.9));
}

// Law: for a mean of symmetric values neither bias nor skewness is there to correct, up to the resamples' own noise.
TEST_CASE("BCa is near the percentiles where nothing is skewed", "[metrics]") {
  const Predictions p = test::formula_data(2);
  Bootstrap options{4000, 0.9, 5};
  const std::optional<Interval> plain = bootstrap_interval(metric("accuracy"), p, options);
  options.kind = IntervalKind::bca;
  const std::optional<Interval> moved = bootstrap_interval(metric("accuracy"), p, options);
  REQUIRE(moved);
  // Two images of 211: accuracy moves in steps of one, and the bias is read off 4000 resamples.
  CHECK(moved->low == Approx(plain->low).margin(2.0 / 211));
  CHECK(moved->high == Approx(plain->high).margin(2.0 / 211));
}
