#include "shiftnorm/toolkit/recommend.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "shiftnorm/results/results.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
using results::ModeReport;
using results::Recommendation;
using results::RunResults;

namespace {

/// Row i is sure by `top` of class classes[i % size].
results::ModeReport mode(const std::string& policy, const std::vector<std::size_t>& classes, double top,
                         std::size_t images = 40) {
  results::ModeReport report;
  report.mode.policy = policy;
  report.mode.name = policy;
  for (std::size_t i = 0; i < images; ++i)
    for (std::size_t k = 0; k < 4; ++k)
      report.probabilities.push_back(k == classes[i % classes.size()] ? top : (1 - top) / 3);
  return report;
}

results::RunResults run(std::vector<results::ModeReport> modes) {
  results::RunResults results;
  results.classes = {"a", "b", "c", "d"};
  results.modes = std::move(modes);
  return results;
}

results::Recommendation told(results::RunResults results) {
  fill_label_free(results, nullptr);
  return recommend(results);
}

const std::vector<std::size_t> kEven{0, 1, 2, 3}, kOne{2}, kThree{0, 1, 2, 2};

}  // namespace

// Oracle: by hand; rows that are surer and spread alike have the larger nuclear norm.
TEST_CASE("the surest well spread mode is recommended", "[experiment]") {
  const results::Recommendation adapted = told(run({mode("source", kEven, 0.6), mode("adabn", kEven, 0.9)}));
  CHECK(adapted.mode == "adabn");
  CHECK(adapted.confidence == "high");
  CHECK_THAT(adapted.because.at(0), Catch::Contains("Predictions of adabn are the most certain"));
  CHECK(told(run({mode("source", kEven, 0.9), mode("adabn", kEven, 0.6)})).mode == "source");
  // A collapse: few classes, no surer than what is spread.
  CHECK(told(run({mode("source", kOne, 0.85), mode("adabn", kEven, 0.9)})).mode == "adabn");
}

// Oracle: by hand: a lead of 0.005 is below the rule's bound.
TEST_CASE("a small lead is of low confidence", "[experiment]") {
  const results::Recommendation it = told(run({mode("source", kEven, 0.900), mode("adabn", kEven, 0.905)}));
  CHECK(it.mode == "adabn");
  CHECK(it.confidence == "low");
}

// Oracle: by hand: source sure of one class, adabn less sure of four: a set of one class, or a collapse.
TEST_CASE("what cannot be told is not told", "[experiment]") {
  const results::Recommendation lean = told(run({mode("source", kOne, 0.95), mode("adabn", kEven, 0.8)}));
  CHECK_FALSE(lean.mode);
  CHECK(lean.confidence == "cannot tell");
  CHECK_THAT(lean.because.at(0), Catch::Contains("1.0 classes, those of adabn on 4.0"));
  CHECK_THAT(told(run({mode("source", kEven, 0.9, 9), mode("adabn", kEven, 0.8, 9)})).because.at(0),
             Catch::StartsWith("9 images are too few"));
  CHECK_THAT(told(run({mode("source", kEven, 0.9)})).because.at(0), Catch::StartsWith("Only source was run"));
  CHECK_THAT(told(run({mode("adabn", kEven, 0.9)})).because.at(0), Catch::Contains("source was not run"));
  CHECK(told(run({})).confidence == "cannot tell");
}

// Oracle: by hand: with one class everywhere nothing distinguishes a mode that is right from one that sees nothing. One
// stray image of 400 does not help.
TEST_CASE("nothing is recommended where every mode sees one class", "[experiment]") {
  const std::vector<std::size_t> other{1};
  for (const auto& classes : {kOne, other}) {
    const results::Recommendation it = told(run({mode("source", kOne, 0.6), mode("adabn", classes, 0.95)}));
    CHECK_FALSE(it.mode);
    CHECK(it.confidence == "cannot tell");
    CHECK_THAT(it.because.at(0), Catch::StartsWith("All 2 modes predict one class"));
  }
  std::vector<std::size_t> stray(400, 2);
  stray[17] = 0;
  CHECK_FALSE(told(run({mode("source", kOne, 0.9, 400), mode("adabn", stray, 0.9, 400)})).mode);
}

// 501 images of 1000 classes: the size at which an ordinary ImageNet run once got no recommendation, with the reason
// that no mode chose among classes.
// Oracle: by hand: adabn gives 0.9 to its class, source 0.5.
TEST_CASE("a thousand classes are no obstacle", "[experiment]") {
  results::RunResults results;
  for (int k = 0; k < 1000; ++k) results.classes.push_back(std::to_string(k));
  for (const auto& [policy, top] : {std::pair("source", 0.5), std::pair("adabn", 0.9)}) {
    results::ModeReport& report = results.modes.emplace_back();
    report.mode.policy = policy;
    report.mode.name = policy;
    for (std::size_t i = 0; i < 501; ++i)
      for (std::size_t k = 0; k < 1000; ++k) report.probabilities.push_back(k == i ? top : (1 - top) / 999);
  }
  fill_label_free(results, nullptr);
  const results::Recommendation it = recommend(results);
  CHECK(it.mode == "adabn");
  CHECK(results.modes[0].label_free->reasons.at("atc") == "no labelled source images");
  CHECK(results.modes[0].label_free->reasons.count("nuclear_norm") == 0);
}

// Oracle: NaN for every output.
TEST_CASE("outputs that are not finite are the reason given", "[experiment]") {
  results::RunResults results = run({mode("source", kEven, 0.9), mode("adabn", kEven, 0.9)});
  for (results::ModeReport& report : results.modes)
    for (double& p : report.probabilities) p = std::nan("");
  fill_label_free(results, nullptr);
  CHECK_THAT(recommend(results).because.at(0), Catch::Contains("no image has finite outputs"));
}

// Oracle: the modes of the study: source, adabn, blend, mixture.
TEST_CASE("a mode that the rule was not tried on is never recommended", "[experiment]") {
  CHECK(told(run({mode("source", kEven, 0.6), mode("adabn", kEven, 0.7), mode("disabled", kEven, 0.99)})).mode ==
        "adabn");
}

// Law: neither labels nor scores are read.
TEST_CASE("target labels change nothing about the recommendation", "[experiment]") {
  results::RunResults results = run({mode("source", kThree, 0.7), mode("adabn", kEven, 0.9)});
  for (std::int32_t i = 0; i < 40; ++i) results.labels.push_back(i % 4);
  const results::Recommendation before = told(results);
  std::reverse(results.labels.begin(), results.labels.begin() + 17);
  results.modes[0].metrics.push_back({"accuracy", {1.0, {}}, {}});
  const results::Recommendation after = told(results);
  CHECK(before.mode == after.mode);
  CHECK(before.because == after.because);
  CHECK(before.confidence == after.confidence);
}

// Oracle: by hand. The source is right on all, so its threshold is its least score, which all of adabn's reach and none
// of the unsure mode's; COT of even predictions for even labels is the mean confidence.
TEST_CASE("labelled source images give estimates of accuracy", "[experiment]") {
  results::RunResults results = run({mode("source", kEven, 0.6), mode("adabn", kEven, 0.9)});
  metrics::Predictions source{4, {}, mode("source", kEven, 0.8).probabilities};
  for (std::int32_t i = 0; i < 40; ++i) source.labels.push_back(i % 4);
  fill_label_free(results, &source);
  CHECK(results.modes[0].label_free->atc.value() == 0);
  CHECK(results.modes[1].label_free->atc.value() == 1);
  CHECK(results.modes[0].label_free->cot.value() == Approx(0.6).epsilon(1e-12));
  CHECK(results.modes[1].label_free->cot.value() == Approx(0.9).epsilon(1e-12));
  CHECK(results.modes[0].label_free->label_shift.value() == Approx(0).margin(1e-12));
}
