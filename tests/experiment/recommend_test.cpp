#include "shiftnorm/experiment/recommend.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "shiftnorm/experiment/results.hpp"

using namespace shiftnorm;
using experiment::ModeReport;
using experiment::Recommendation;
using experiment::RunResults;

namespace {

/// Row i is sure by `top` of class classes[i % size].
ModeReport mode(adapt::Policy policy, const std::vector<std::size_t>& classes, double top, std::size_t images = 40) {
  ModeReport report;
  report.mode.policy = policy;
  report.mode.name = adapt::name_of(policy);
  for (std::size_t i = 0; i < images; ++i)
    for (std::size_t k = 0; k < 4; ++k)
      report.probabilities.push_back(k == classes[i % classes.size()] ? top : (1 - top) / 3);
  return report;
}

RunResults run(std::vector<ModeReport> modes) {
  RunResults results;
  results.classes = {"a", "b", "c", "d"};
  results.modes = std::move(modes);
  return results;
}

Recommendation told(RunResults results) {
  fill_label_free(results, nullptr);
  return recommend(results);
}

using adapt::Policy;
const std::vector<std::size_t> kEven{0, 1, 2, 3}, kOne{2}, kThree{0, 1, 2, 2};

}  // namespace

// Oracle: by hand; rows that are surer and spread alike have the larger nuclear norm.
TEST_CASE("the surest well spread mode is recommended", "[experiment]") {
  const Recommendation adapted = told(run({mode(Policy::source, kEven, 0.6), mode(Policy::adabn, kEven, 0.9)}));
  CHECK(adapted.mode == "adabn");
  CHECK(adapted.confidence == "high");
  CHECK_THAT(adapted.because.at(0), Catch::Contains("Predictions of adabn are the surest"));
  CHECK(told(run({mode(Policy::source, kEven, 0.9), mode(Policy::adabn, kEven, 0.6)})).mode == "source");
  // A collapse: few classes, no surer than what is spread.
  CHECK(told(run({mode(Policy::source, kOne, 0.85), mode(Policy::adabn, kEven, 0.9)})).mode == "adabn");
}

TEST_CASE("a small lead is of low confidence", "[experiment]") {
  const Recommendation it = told(run({mode(Policy::source, kEven, 0.900), mode(Policy::adabn, kEven, 0.905)}));
  CHECK(it.mode == "adabn");
  CHECK(it.confidence == "low");
}

// Oracle: by hand: source sure of one class, adabn less sure of four: a set of one class, or a collapse.
TEST_CASE("what cannot be told is not told", "[experiment]") {
  const Recommendation lean = told(run({mode(Policy::source, kOne, 0.95), mode(Policy::adabn, kEven, 0.8)}));
  CHECK_FALSE(lean.mode);
  CHECK(lean.confidence == "cannot tell");
  CHECK_THAT(lean.because.at(0), Catch::Contains("1.0 classes, those of adabn on 4.0"));
  CHECK_THAT(told(run({mode(Policy::source, kEven, 0.9, 9), mode(Policy::adabn, kEven, 0.8, 9)})).because.at(0),
             Catch::StartsWith("9 images are too few"));
  CHECK_THAT(told(run({mode(Policy::source, kEven, 0.9)})).because.at(0), Catch::StartsWith("Only source was run"));
  CHECK_THAT(told(run({mode(Policy::adabn, kEven, 0.9)})).because.at(0), Catch::Contains("source was not run"));
  CHECK(told(run({})).confidence == "cannot tell");
}

TEST_CASE("a mode that the rule was not tried on is never recommended", "[experiment]") {
  CHECK(told(run({mode(Policy::source, kEven, 0.6), mode(Policy::adabn, kEven, 0.7),
                  mode(Policy::disabled, kEven, 0.99)}))
            .mode == "adabn");
}

// Law: neither labels nor scores are read.
TEST_CASE("target labels change nothing about the recommendation", "[experiment]") {
  RunResults results = run({mode(Policy::source, kThree, 0.7), mode(Policy::adabn, kEven, 0.9)});
  for (std::int32_t i = 0; i < 40; ++i) results.labels.push_back(i % 4);
  const Recommendation before = told(results);
  std::reverse(results.labels.begin(), results.labels.begin() + 17);
  results.modes[0].metrics.push_back({"accuracy", {1.0, {}}, {}});
  const Recommendation after = told(results);
  CHECK(before.mode == after.mode);
  CHECK(before.because == after.because);
  CHECK(before.confidence == after.confidence);
}

// Oracle: by hand. The source is right on all, so its threshold is its least score, which all of adabn's reach and none
// of the unsure mode's; COT of even predictions for even labels is the mean confidence.
TEST_CASE("labelled source images give estimates of accuracy", "[experiment]") {
  RunResults results = run({mode(Policy::source, kEven, 0.6), mode(Policy::adabn, kEven, 0.9)});
  metrics::Predictions source{4, {}, mode(Policy::source, kEven, 0.8).probabilities};
  for (std::int32_t i = 0; i < 40; ++i) source.labels.push_back(i % 4);
  fill_label_free(results, &source);
  CHECK(results.modes[0].label_free->atc.value() == 0);
  CHECK(results.modes[1].label_free->atc.value() == 1);
  CHECK(results.modes[0].label_free->cot.value() == Approx(0.6).epsilon(1e-12));
  CHECK(results.modes[1].label_free->cot.value() == Approx(0.9).epsilon(1e-12));
  CHECK(results.modes[0].label_free->label_shift.value() == Approx(0).margin(1e-12));
}
