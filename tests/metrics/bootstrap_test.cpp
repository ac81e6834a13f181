#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "formula_data.hpp"
#include "normal.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/random.hpp"
#include "shiftnorm/metrics/intervals.hpp"

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

/// A statistic with nothing that would give it a closed form.
Resampled bare(const Resampled& of) { return {of.score, {0, std::numeric_limits<double>::infinity()}}; }

/// Few positives, whose scores reach into those of the negatives.
Predictions rare(std::size_t positives, std::size_t images) {
  Predictions p{2, {}, {}};
  for (std::size_t i = 0; i < images; ++i) {
    const bool positive = i < positives;
    const double score = (static_cast<double>(i * 37 % 101) / 101 + (positive ? 0.8 : 0)) / 2;
    p.labels.push_back(positive ? 1 : 0);
    p.probabilities.insert(p.probabilities.end(), {1 - score, score});
  }
  return p;
}

}  // namespace

// Oracle: the bootstrap of a share is a binomial; its quantiles by scipy.stats.binom(400, 0.3).ppf: 102 and 138 of 400.
TEST_CASE("Percentiles of a share's resamples are the binomial's", "[metrics]") {
  const IntervalEstimate made =
      confidence_interval(bare(metric("accuracy").prepare(certain(400, 120))), 400, {20000, 0.95, 3, 1});
  REQUIRE(made.interval);
  CHECK(made.method == "bootstrap-percentile");
  // One image in 400: the standard error of a 2.5 % quantile from 20000 draws is about 0.4 images, and quantiles are
  // steps.
  CHECK(made.interval->low == Approx(102.0 / 400).margin(1.01 / 400));
  CHECK(made.interval->high == Approx(138.0 / 400).margin(1.01 / 400));
}

// Oracle: normal theory. The difference of paired shares has variance ((b + c) - (b - c)^2 / n) / n^2.
TEST_CASE("The interval of a difference knows that the images are the same", "[metrics]") {
  const Resampled a = bare(metric("accuracy").prepare(certain(1000, 500))),
                  b = bare(metric("accuracy").prepare(certain(1000, 560)));
  const PairedEstimate paired = paired_difference(a, b, 1000, {20000, 0.95, 5, 2});
  REQUIRE(paired.interval.interval);
  const double deviation = std::sqrt(60 - 60 * 60 / 1000.0) / 1000;
  CHECK(*paired.difference == Approx(0.06));
  // 0.001: one image of 1000; quantiles are steps.
  CHECK(paired.interval.interval->low == Approx(0.06 - 1.96 * deviation).margin(0.001));
  CHECK(paired.interval.interval->high == Approx(0.06 + 1.96 * deviation).margin(0.001));
  CHECK(*paired.p == Approx(2.0 / 20001));
  CHECK(paired.test == "bootstrap");
}

// Law: a mode against itself differs by nothing, with certainty.
TEST_CASE("No difference from itself", "[metrics]") {
  const Predictions p = test::formula_data(1);
  for (const char* name : {"nll", "accuracy", "auroc", "ece"}) {
    INFO(name);
    const PairedEstimate paired = paired_difference(metric(name), p, p, {});
    REQUIRE(paired.interval.interval);
    CHECK(paired.interval.interval->low == 0);
    CHECK(paired.interval.interval->high == 0);
    CHECK(*paired.p == 1);
  }
}

// Law: threads change nothing; another seed does, where resamples are drawn at all.
TEST_CASE("The bootstrap is the same for any number of threads", "[metrics]") {
  const Predictions a = test::formula_data(1), b = test::formula_data(2);
  for (const MetricSpec& spec : metric_table()) {
    INFO(spec.name);
    if (spec.name == "top5_accuracy") continue;  // there are five classes
    const PairedEstimate one = paired_difference(spec, a, b, {501, 0.9, 7, 1});
    const IntervalEstimate alone = confidence_interval(spec, b, {501, 0.9, 7, 1});
    REQUIRE(one.interval.interval);
    REQUIRE(alone.interval);
    for (const int threads : {2, 3, 8}) {
      const PairedEstimate many = paired_difference(spec, a, b, {501, 0.9, 7, threads});
      CHECK(one.interval.interval->low == many.interval.interval->low);
      CHECK(one.interval.interval->high == many.interval.interval->high);
      CHECK(alone.interval->low == confidence_interval(spec, b, {501, 0.9, 7, threads}).interval->low);
    }
    const bool drawn = one.interval.method.starts_with("bootstrap");
    CHECK((paired_difference(spec, a, b, {501, 0.9, 8, 1}).interval.interval->low != one.interval.interval->low) ==
          drawn);
    const double point = *score(spec, b).value - *score(spec, a).value;
    CHECK(one.interval.interval->low < point);
    CHECK(point < one.interval.interval->high);
    CHECK(*one.p > 0);
  }
}

// Law: where no interval can be had there is a reason.
TEST_CASE("No interval where the metric is undefined or there is one image, and the reason", "[metrics]") {
  const Predictions one{2, {0}, {1, 0}}, broken{2, {0, 1}, {std::nan(""), 1, 0, 1}};
  CHECK(confidence_interval(metric("accuracy"), one, {}).reason == "one image does not show how the score varies");
  CHECK_THAT(confidence_interval(metric("nll"), broken, {}).reason, Catch::Contains("not probabilities"));
  CHECK(confidence_interval(metric("accuracy"), broken, {}).interval);
  const PairedEstimate paired = paired_difference(metric("nll"), broken, broken, {});
  CHECK_FALSE(paired.difference);
  CHECK_FALSE(paired.p);
  CHECK_THAT(paired.interval.reason, Catch::Contains("not probabilities"));
  // All images alike: nothing shows how the NLL varies.
  const Predictions alike{2, {0, 1}, {0.5, 0.5, 0.5, 0.5}};
  CHECK_THAT(confidence_interval(metric("nll"), alike, {}).reason, Catch::StartsWith("all resamples score alike"));
}

// Oracle: 5 positives of 200 are missing from 0.6 % of free draws; that voids nothing.
TEST_CASE("A rare class is in every resample", "[metrics]") {
  for (const std::size_t positives : {1U, 2U, 5U}) {
    INFO(positives);
    const Predictions p = rare(positives, 200);
    for (const char* name : {"auroc", "average_precision", "balanced_accuracy", "sensitivity_at_90_specificity"}) {
      INFO(name);
      const IntervalEstimate made = confidence_interval(metric(name), p, {500});
      REQUIRE(made.interval);
      CHECK(made.reason.empty());
      const double point = *score(metric(name), p).value;
      CHECK(made.interval->low <= point);
      CHECK(point <= made.interval->high);
      CHECK(made.interval->low < made.interval->high);
    }
  }
  // Ranks do not depend on how many positives there are, precision does.
  CHECK(confidence_interval(metric("sensitivity_at_90_specificity"), rare(5, 200), {100}).within_classes);
  CHECK_FALSE(confidence_interval(metric("average_precision"), rare(5, 200), {100}).within_classes);
  // One cluster holds all positives: every draw of clusters holds it.
  Bootstrap clustered{500};
  for (std::uint32_t i = 0; i < 200; ++i) clustered.clusters.push_back(i / 8);
  CHECK(confidence_interval(metric("auroc"), rare(5, 200), clustered).interval);
}

// Law: a mean over classes or findings is over the same ones in every resample. Two findings: one of 60 positives,
// ranked at random, one of a single positive, ranked first. The mean of 0.5 and 1 must not become the first alone.
TEST_CASE("A mean over findings stays the mean over all of them", "[metrics]") {
  MultiLabel data{2, {}, {}};
  for (int i = 0; i < 120; ++i) {
    data.labels.push_back(i % 2 == 0 ? 1 : 0);
    data.labels.push_back(i == 7 ? 1 : 0);
    data.probabilities.push_back(static_cast<double>(i * 37 % 119) / 119);
    data.probabilities.push_back(i == 7 ? 0.9 : 0.1);
  }
  const Resampled mean = over_findings(metric("auroc"), data);
  std::vector<std::uint32_t> without(120, 1);
  without[7] = 0;
  CHECK_FALSE(mean(without).value);
  const double first = *score(metric("auroc"), finding(data, 0).predictions).value;
  const IntervalEstimate made = confidence_interval(mean, 120, {1000});
  REQUIRE(made.interval);
  // If 37 % of the resamples were means over the first finding alone, the low end would be below 0.6.
  CHECK(made.interval->low > (first - 0.15 + 1) / 2);
  CHECK(made.interval->high >= (first + 1) / 2);
  // Macro F1 of three classes, one of a single image: without it there is no mean over three.
  Predictions three{3, {0, 0, 1, 1, 2}, {1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1}};
  CHECK(score(metric("macro_f1"), three).value);
  CHECK_FALSE(metric("macro_f1").prepare(three)(std::vector<std::uint32_t>{1, 1, 1, 1, 0}).value);
}

// Oracle: Wilson's formula by hand for n of n: low = n / (n + z^2), z = 1.959963984540054; the mean of two such shares
// is short by half the root of the sum of their squared shortfalls.
TEST_CASE("A perfect score has an interval of its own width", "[metrics]") {
  const double square = 1.959963984540054 * 1.959963984540054;
  const IntervalEstimate all = confidence_interval(metric("accuracy"), certain(30, 30), {});
  CHECK(all.method == "wilson");
  CHECK(all.interval->low == Approx(30 / (30 + square)).epsilon(1e-12));
  CHECK(all.interval->high == 1);
  CHECK(confidence_interval(metric("accuracy"), certain(30, 0), {}).interval->high ==
        Approx(square / (30 + square)).epsilon(1e-12));
  Predictions two{2, {}, {}};
  for (int i = 0; i < 30; ++i) {
    two.labels.push_back(i < 10 ? 1 : 0);
    two.probabilities.insert(two.probabilities.end(), {i < 10 ? 0.0 : 1.0, i < 10 ? 1.0 : 0.0});
  }
  const double ten = square / (10 + square), twenty = square / (20 + square), thirty = square / (30 + square);
  const auto low = [&](const char* name) { return confidence_interval(metric(name), two, {200}).interval->low; };
  CHECK(low("balanced_accuracy") == Approx(1 - std::sqrt(ten * ten + twenty * twenty) / 2).epsilon(1e-12));
  CHECK(low("macro_f1") == Approx(1 - std::sqrt(ten * ten + twenty * twenty) / 2).epsilon(1e-12));
  CHECK(low("average_precision") == Approx(1 - ten).epsilon(1e-12));
  CHECK(low("cohen_kappa") == Approx(1 - 2 * thirty).epsilon(1e-12));  // its scale is twice as long
  CHECK(confidence_interval(metric("ece"), two, {200}).interval->high == Approx(thirty).epsilon(1e-12));
  CHECK(confidence_interval(metric("brier"), two, {200}).interval->high == Approx(2 * thirty).epsilon(1e-12));
  // One class missed altogether, the other never: as constant as a perfect score, in the middle.
  Predictions blind = two;
  for (std::size_t i = 0; i < 30; ++i) blind.probabilities[2 * i] = 1, blind.probabilities[2 * i + 1] = 0;
  const IntervalEstimate half = confidence_interval(metric("balanced_accuracy"), blind, {200});
  CHECK(half.interval->low == Approx(0.5 - std::sqrt(ten * ten + twenty * twenty) / 2).epsilon(1e-12));
  CHECK(half.interval->high == Approx(0.5 + std::sqrt(ten * ten + twenty * twenty) / 2).epsilon(1e-12));
  // As many clusters as there are patients, whatever they have of images.
  Bootstrap patients{200};
  for (std::uint32_t i = 0; i < 30; ++i) patients.clusters.push_back(i / 5);
  CHECK(confidence_interval(metric("accuracy"), certain(30, 30), patients).interval->low ==
        Approx(6 / (6 + square)).epsilon(1e-12));
  // Two modes that are both right everywhere, of other outputs.
  Predictions softer = two;
  for (double& v : softer.probabilities) v = v == 1 ? 0.9 : 0.1;
  for (const char* name : {"accuracy", "auroc", "balanced_accuracy", "macro_f1"}) {
    INFO(name);
    const PairedEstimate paired = paired_difference(metric(name), two, softer, {200});
    CHECK(*paired.difference == 0);
    CHECK(*paired.p == 1);
    CHECK(paired.interval.interval->low < 0);
    CHECK(paired.interval.interval->high > 0);
  }
  // All wrong against all right: the least p there is, but not 0.
  Predictions wrong = two;
  for (double& v : wrong.probabilities) v = 1 - v;
  for (const MetricSpec& spec : metric_table()) {
    const PairedEstimate paired = paired_difference(spec, wrong, two, {200});
    if (!paired.p) continue;
    INFO(spec.name);
    CHECK(*paired.p > 0);
    CHECK(*paired.p < 0.05);
  }
}

// Oracle: intervals.py, Wilson's, Newcombe's, Hanley and McNeil's formulas in NumPy and SciPy.
TEST_CASE("Closed intervals are their formulas'", "[metrics]") {
  const Interval wilson = wilson_interval(0.98, 100, 0.95);
  CHECK(wilson.low == Approx(0.929988209271456).epsilon(1e-12));
  CHECK(wilson.high == Approx(0.9944980324498376).epsilon(1e-12));
  const Interval newcombe = newcombe_interval(70, 4, 15, 11, 0.95);
  CHECK(newcombe.low == Approx(0.024395530503045743).epsilon(1e-12));
  CHECK(newcombe.high == Approx(0.1967568502938712).epsilon(1e-12));
  // 1e-9: a root by bisection here, by scipy.optimize.brentq there.
  const Interval perfect = auroc_score_interval(1, 10, 190, 0.95), some = auroc_score_interval(0.8, 10, 190, 0.95);
  CHECK(perfect.low == Approx(0.8476478985422877).epsilon(1e-9));
  CHECK(perfect.high == 1);
  CHECK(some.low == Approx(0.609897969612225).epsilon(1e-9));
  CHECK(some.high == Approx(0.9182581579979675).epsilon(1e-9));
}

// Oracle: intervals.py, scipy.stats.t.ppf. 1e-9: seen are 2e-11, and an interval shows three digits.
TEST_CASE("Student's quantiles are SciPy's", "[metrics]") {
  CHECK(student_quantile(0.975, 1) == Approx(12.706204736432095).epsilon(1e-9));
  CHECK(student_quantile(0.9, 2.5) == Approx(1.730250928807177).epsilon(1e-9));
  CHECK(student_quantile(0.975, 9) == Approx(2.2621571627409915).epsilon(1e-9));
  CHECK(student_quantile(0.995, 37.8) == Approx(2.712310739784315).epsilon(1e-9));
  CHECK(student_quantile(0.975, 1000) == Approx(1.9623390808264074).epsilon(1e-9));
  CHECK(student_quantile(0.2, 4.4) == Approx(-0.9311288032309868).epsilon(1e-9));
  CHECK(student_quantile(0.975, 1e8) == Approx(1.959963984540054).epsilon(1e-7));
}

// Oracle: intervals.py: scipy.stats.bootstrap(method="BCa") of the mean absolute distance from 3 of 40 numbers, 99999
// resamples of its own. 0.01: the interval is 0.8 wide, and the ends of two bootstraps of 20000 differ by about 0.003.
TEST_CASE("BCa of a whole bootstrap is SciPy's", "[metrics]") {
  std::vector<double> numbers;
  for (int k = 0; k < 40; ++k) numbers.push_back(std::pow(static_cast<double>(k * 17 % 41) / 10, 1.5));
  const Resampled statistic{[&](std::span<const std::uint32_t> counts) -> Score {
                              double sum = 0, images = 0;
                              for (std::size_t i = 0; i < numbers.size(); ++i) {
                                sum += counts[i] * std::abs(numbers[i] - 3);
                                images += counts[i];
                              }
                              return {sum / images, {}};
                            },
                            {0, std::numeric_limits<double>::infinity()}};
  const IntervalEstimate made = confidence_interval(statistic, 40, {20000, 0.95, 1, 2, IntervalKind::bca});
  REQUIRE(made.interval);
  CHECK(made.method == "bca");
  CHECK(made.interval->low == Approx(1.7785801127165854).margin(0.01));
  CHECK(made.interval->high == Approx(2.5565725411899045).margin(0.01));
}

// Law: an ECE's interval holds the ECE, and 0 where nothing shows that the network is miscalibrated. Outputs that are
// right as often as they say, in every bin: 0 is the truth.
TEST_CASE("The interval of the ECE holds it, and 0 for a calibrated network", "[metrics]") {
  Predictions p{2, {}, {}};
  Random random(3, 0);
  for (int i = 0; i < 200; ++i) {
    const double sure = random.uniform(0.5, 1);
    p.labels.push_back(random.uniform() < sure ? 0 : 1);
    p.probabilities.insert(p.probabilities.end(), {sure, 1 - sure});
  }
  for (const char* name : {"ece", "adaptive_ece"}) {
    const IntervalEstimate made = confidence_interval(metric(name), p, {1000});
    const double point = *score(metric(name), p).value;
    CHECK(point > 0.02);  // the bias alone
    CHECK(made.interval->low == 0);
    CHECK(made.interval->high > point);
    CHECK(made.method == "bootstrap-inversion");
  }
}

// Law: what is out of range is refused, with the range.
TEST_CASE("Bootstrap options out of range are refused", "[metrics]") {
  const Predictions p = certain(4, 2);
  CHECK_THROWS_WITH(confidence_interval(metric("accuracy"), p, {0, 0.95, 0, 1}),
                    "bootstrap: resamples = 0; expected 1 to 100000000");
  CHECK_THROWS_WITH(confidence_interval(metric("accuracy"), p, {10, 95, 0, 1}),
                    "bootstrap: level = 95; expected a number between 0 and 1");
  CHECK_THROWS_WITH(confidence_interval(metric("accuracy"), p, {10, 0.95, 0, 0}),
                    "bootstrap: threads = 0; expected at least 1");
  CHECK_THROWS_AS(paired_difference(metric("accuracy"), p, certain(5, 2), {}), ShapeError);
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
  const std::optional<Interval> alone =
      confidence_interval(bare(metric("brier").prepare(p)), p.images(), options).interval;
  for (std::uint32_t i = 0; i < p.images(); ++i) options.clusters.push_back(i);
  const std::optional<Interval> named =
      confidence_interval(bare(metric("brier").prepare(p)), p.images(), options).interval;
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
  const std::optional<Interval> pairs =
      confidence_interval(bare(metric("brier").prepare(twice)), twice.images(), options).interval;
  CHECK(pairs->low == Approx(alone->low).epsilon(1e-12));
  CHECK(pairs->high == Approx(alone->high).epsilon(1e-12));
  options.clusters.clear();
  CHECK(confidence_interval(bare(metric("brier").prepare(twice)), twice.images(), options).interval->low > pairs->low);

  options.clusters.assign(twice.images(), 0);
  CHECK(confidence_interval(metric("accuracy"), twice, options).reason ==
        "one cluster does not show how the score varies");
  options.clusters[3] = 2;
  CHECK_THROWS_WITH(confidence_interval(metric("accuracy"), twice, options), "bootstrap: cluster 1 of 3 has no image");
  options.clusters.resize(4);
  CHECK_THROWS_WITH(confidence_interval(metric("accuracy"), twice, options),
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
  CHECK_FALSE(bca_interval(values, 2.0, jackknife, 0.9));  // no value above the point: no bias can be estimated
}

// Oracle: by hand. With acceleration a the quantile z moves to z0 + (z0 + z) / (1 - a (z0 + z)), which reaches the last
// value as a (z0 + z) comes to 1, and stays there.
TEST_CASE("BCa where its formula has no value", "[metrics]") {
  std::vector<double> values;
  for (int k = 0; k < 1000; ++k) values.push_back(k);
  const std::vector<double> skewed{0, 1, 1, 1, 1}, alike(10, 3.0);
  // Mean 0.8: differences 0.8, -0.2 four times; cubes 0.512 - 4 * 0.008 = 0.48, squares 0.8: a = 0.48 / (6 * 0.8^1.5).
  const double a = 0.48 / (6 * std::pow(0.8, 1.5));
  // scipy.stats.norm.ppf(0.9985) = 2.97, of 1 - 5e-16 = 8.0: a (z0 + z) is 1.2.
  CHECK(a * (2.97 + 8.0) > 1);
  const Interval far = bca_interval(values, 998, skewed, 1 - 1e-15).value();
  CHECK(far.high == 999);
  CHECK(far.low < far.high);
  // No skewness: only bias-corrected. z0 = 0 at the median, so the percentiles.
  const Interval plain = bca_interval(values, 499.5, alike, 0.9).value();
  CHECK(plain.low == Approx(0.05 * 999).epsilon(1e-9));
  CHECK(plain.high == Approx(0.95 * 999).epsilon(1e-9));
  CHECK(bca_interval(values, 499.5, {}, 0.9)->low == plain.low);
  CHECK_FALSE(bca_interval(std::vector<double>{1}, 1, alike, 0.9));
}

// Law: for a mean of symmetric values neither bias nor skewness is there to correct, up to the resamples' own noise.
TEST_CASE("BCa is near the percentiles where nothing is skewed", "[metrics]") {
  const Resampled shares = bare(metric("accuracy").prepare(test::formula_data(2)));
  Bootstrap options{4000, 0.9, 5};
  const std::optional<Interval> plain = confidence_interval(shares, 211, options).interval;
  options.kind = IntervalKind::bca;
  const std::optional<Interval> moved = confidence_interval(shares, 211, options).interval;
  REQUIRE(moved);
  // Two images of 211: accuracy moves in steps of one, and the bias is read off 4000 resamples.
  CHECK(moved->low == Approx(plain->low).margin(2.0 / 211));
  CHECK(moved->high == Approx(plain->high).margin(2.0 / 211));
}
