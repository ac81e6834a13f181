#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "formula_data.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/metrics/intervals.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

// Oracle: scikit-learn 1.2.1, and the formulas of Guo, Nguyen & O'Connor and Brier in NumPy: golden.py.
TEST_CASE("Scores agree with scikit-learn", "[metrics]") {
  struct Golden {
    int seed;
    const char* name;
    double value;
  };
  const auto [seed, name, value] = GENERATE(values<Golden>({
      {1, "accuracy", 0.1990521327014218},
      {1, "balanced_accuracy", 0.20224731789949182},
      {1, "nll", 2.5757238667838926},
      {1, "ece", 0.39594826457627835},
      {1, "brier", 1.0777232484783164},
      {2, "accuracy", 0.5023696682464455},
      {2, "balanced_accuracy", 0.5078787878787879},
      {2, "nll", 1.4270616083156462},
      {2, "ece", 0.1894491484247275},
      {2, "brier", 0.6286765258103755},
      {1, "macro_f1", 0.19807217191068424},
      {1, "micro_f1", 0.19905213270142183},
      {1, "cohen_kappa", 0.0010924981791697874},
      {1, "quadratic_kappa", 0.0026491339575177575},
      {1, "adaptive_ece", 0.39513627866018625},
      {2, "macro_f1", 0.5030243075670162},
      {2, "micro_f1", 0.5023696682464455},
      {2, "cohen_kappa", 0.37876791071979365},
      {2, "quadratic_kappa", 0.3695947618916613},
      {2, "adaptive_ece", 0.1950183903563649},
  }));
  // 1e-12: sums of 211 doubles in another order.
  CHECK(score(metric(name), test::formula_data(seed)).value.value() == Approx(value).epsilon(1e-12));
}

// Oracle: scikit-learn 1.2.1 (top 3: NumPy), on probabilities rounded to 1/1024, since ranks must not depend on the
// last digit of an exponential: golden.py.
TEST_CASE("Scores of ranks agree with scikit-learn", "[metrics]") {
  struct Golden {
    int seed;
    const char* name;
    double value;
  };
  const auto [seed, name, value] = GENERATE(values<Golden>({
      {1, "top3_accuracy", 0.5924170616113744},
      {1, "auroc", 0.4966739506328036},
      {1, "average_precision", 0.20351015570647463},
      {1, "sensitivity_at_90_specificity", 0.08468285337850556},
      {1, "sensitivity_at_95_specificity", 0.037075098814229254},
      {2, "top3_accuracy", 0.8341232227488151},
      {2, "auroc", 0.7950290266056914},
      {2, "average_precision", 0.619405351508876},
      {2, "sensitivity_at_90_specificity", 0.481222159483029},
      {2, "sensitivity_at_95_specificity", 0.4045034192860279},
  }));
  // 1e-12: sums of 211 doubles in another order.
  CHECK(score(metric(name), test::rounded(test::formula_data(seed))).value.value() == Approx(value).epsilon(1e-12));
}

// Oracle: by hand. Two of three right; class 0: 1 of 2, class 1: 1 of 1, class 2 absent.
// NLL -(ln .5 + ln .25 + ln .8)/3; confidences .5, .7, .8 are each alone in a bin: (|1-.5| + |0-.7| + |1-.8|)/3.
TEST_CASE("Scores of three images worked by hand", "[metrics]") {
  const Predictions p{3, {0, 0, 1}, {0.5, 0.25, 0.25, 0.25, 0.7, 0.05, 0.1, 0.8, 0.1}};
  CHECK(score(metric("accuracy"), p).value.value() == Approx(2.0 / 3));
  CHECK(score(metric("balanced_accuracy"), p).value.value() == Approx(0.75));
  CHECK(score(metric("nll"), p).value.value() == Approx(std::log(10.0) / 3));
  CHECK(score(metric("ece"), p).value.value() == Approx(1.4 / 3));
  CHECK(score(metric("brier"), p).value.value() == Approx((0.375 + 0.5625 + 0.49 + 0.0025 + 0.06) / 3));
}

// Oracle: the definition of a bin, (m/15, (m+1)/15]: 0.2 = 3/15 belongs to bin 2, the next double to bin 3.
TEST_CASE("A confidence on an edge belongs to the bin below", "[metrics]") {
  const double edge = 3.0 / 15;
  const Predictions p{1, {0, 0, 0, 0}, {edge, std::nextafter(edge, 1.0), 0.0, 1.0}};
  const std::vector<ReliabilityBin> bins = reliability(p);
  REQUIRE(bins.size() == 15);
  CHECK(bins[0].count == 1);
  CHECK(bins[2].count == 1);
  CHECK(bins[3].count == 1);
  CHECK(bins[14].count == 1);
  CHECK(bins[2].low == 2.0 / 15);
  CHECK(bins[2].high == edge);
  CHECK_THROWS_WITH(reliability(p, 0), "reliability: 0 bins; expected at least 1");
}

// Law: the count-weighted gaps of the reliability diagram are the ECE; its counts are the images.
TEST_CASE("The reliability diagram carries the ECE", "[metrics]") {
  const Predictions p = test::formula_data(1);
  double error = 0;
  std::int64_t images = 0;
  for (const ReliabilityBin& bin : reliability(p)) {
    error += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    images += bin.count;
  }
  CHECK(images == 211);
  CHECK(error / 211 == Approx(score(metric("ece"), p).value.value()).epsilon(1e-12));
}

// Oracle: -log of the smallest normal double, scikit-learn's clipping aside.
TEST_CASE("A probability of zero costs a finite number of nats", "[metrics]") {
  const Predictions p{2, {0}, {0, 1}};
  CHECK(score(metric("nll"), p).value.value() == Approx(-std::log(2.2250738585072014e-308)));
}

// Law: a metric over rows that repeat equals the metric of the data with those rows written out.
TEST_CASE("compute() takes any rows, with repetition", "[metrics]") {
  const Predictions p = test::formula_data(2);
  const std::vector<std::size_t> rows{5, 5, 5, 17, 100, 210, 0, 17};
  Predictions written{p.classes, {}, {}};
  for (const std::size_t row : rows) {
    written.labels.push_back(p.labels[row]);
    for (std::size_t k = 0; k < 5; ++k) written.probabilities.push_back(p.probabilities[row * 5 + k]);
  }
  for (const MetricSpec& spec : metric_table()) {
    INFO(spec.name);
    if (spec.name == "top5_accuracy") continue;  // there are five classes
    CHECK(spec.compute(p, rows).value.value() == Approx(score(spec, written).value.value()).epsilon(1e-12));
    CHECK_FALSE(spec.compute(p, {}).value);
    CHECK(spec.compute(p, {}).reason == "no labelled images");
    CHECK_THROWS_WITH(spec.compute(p, std::vector<std::size_t>{211}), "metric: row 211; expected less than 211 images");
  }
}

// Law: the page lists what the program knows.
TEST_CASE("docs/guide.md names every metric", "[metrics]") {
  const std::vector<std::byte> page = read_file(test::source_root() / "docs/guide.md");
  for (const MetricSpec& spec : metric_table())
    CHECK_THAT(std::string(as_text(page)), Catch::Contains("`" + std::string(spec.name) + "`"));
}

// Law: a score is a number or has a reason.
TEST_CASE("A score that has no meaning gives its reason", "[metrics]") {
  const Predictions one_class{2, {0, 0}, {0.5, 0.5, 0.4, 0.6}};
  CHECK(score(metric("auroc"), one_class).reason == "no class with images of it and images of others");
  CHECK(score(metric("cohen_kappa"), {2, {0, 0}, {1, 0, 1, 0}}).reason == "only one class was seen and predicted");
  CHECK(score(metric("top5_accuracy"), test::formula_data(1)).reason ==
        "fewer classes than it takes to be among the first");
  const Predictions unknown{2, {0, 1}, {std::nan(""), 0.5, 0.4, 0.6}};
  for (const char* name : {"auroc", "cohen_kappa"})
    CHECK(score(metric(name), unknown).reason == "some images have outputs that are not numbers");
}

// Oracle: worked by hand: one of two images is right, of the other nothing is known.
TEST_CASE("What a NaN leaves defined", "[metrics]") {
  const Predictions p{2, {0, 1}, {std::nan(""), std::nan(""), 0.4, 0.6}};
  CHECK(score(metric("accuracy"), p).value.value() == 0.5);
  CHECK(score(metric("balanced_accuracy"), p).value.value() == 0.5);
  for (const char* name : {"nll", "ece", "brier"}) {
    CHECK_FALSE(score(metric(name), p).value);
    CHECK(score(metric(name), p).reason ==
          "1 of 2 images have outputs that are not probabilities (NaN, or outside 0 to 1)");
  }
}

// Law: the nearest name is suggested.
TEST_CASE("An unknown metric is refused with the nearest name", "[metrics]") {
  CHECK(metric("ece").name == "ece");
  CHECK_THROWS_AS(metric("acuracy"), ConfigError);
  CHECK_THROWS_WITH(metric("acuracy"),
                    Catch::Matchers::StartsWith("metric 'acuracy' is unknown; expected one of accuracy, ") &&
                        Catch::Matchers::EndsWith(", brier; nearest: accuracy"));
}
