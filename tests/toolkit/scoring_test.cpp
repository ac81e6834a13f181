#include "shiftnorm/toolkit/scoring.hpp"

#include <catch2/catch.hpp>
#include <cmath>

using namespace shiftnorm;
using namespace shiftnorm::toolkit;

namespace {

adapt::ModeResult outputs(std::int64_t width, std::vector<float> values) {
  adapt::ModeResult result;
  result.outputs = adapt::Outputs{width, std::move(values)};
  return result;
}

double value(const std::vector<results::MetricResult>& metrics, const std::string& name) {
  for (const results::MetricResult& one : metrics)
    if (one.name == name) return one.score.value.value();
  throw std::out_of_range(name);
}

}  // namespace

// Worked by hand: six images, two findings. Finding a is known of images 0-3, with scores .9 .2 .6 .4 and truth 1 0 0
// 1: pairs (.9 > .2, .9 > .6, .4 > .2, .4 < .6): AUROC 3/4. Sorted .9(1) .6(0) .4(1) .2(0): AP = 1/2 + 1/2 * 2/3 = 5/6.
// Finding b is known of images 2-5, with scores .1 .8 .3 .7 and truth 0 1 0 1: both 1. Image 6 states nothing.
TEST_CASE("several findings, some not known: each by itself and their mean", "[experiment]") {
  Scorer scorer;
  scorer.evaluate.metrics = {"auroc", "average_precision"};
  scorer.evaluate.resamples = 200;
  scorer.outputs = config::OutputKind::sigmoid;
  scorer.finding_names = {"a", "b"};
  scorer.labels.assign(7, -1);
  scorer.findings = {1, -1, 0, -1, 0, 0, 1, 1, -1, 0, -1, 1, -1, -1};
  const adapt::ModeResult result = outputs(2, {.9f, .5f, .2f, .5f, .6f, .1f, .4f, .8f, .5f, .3f, .5f, .7f, .5f, .5f});
  CHECK(scorer.labelled().size() == 6);
  const results::ModeReport report = scorer.report({}, result);
  REQUIRE(report.findings.size() == 2);
  CHECK(report.findings[0].name == "a");
  CHECK(report.findings[0].known == 4);
  CHECK(report.findings[0].positive == 2);
  CHECK(value(report.findings[0].metrics, "auroc") == Approx(0.75));
  CHECK(value(report.findings[0].metrics, "average_precision") == Approx(5.0 / 6));
  CHECK(value(report.findings[1].metrics, "auroc") == Approx(1));
  CHECK(value(report.metrics, "auroc") == Approx(0.875));
  CHECK(value(report.metrics, "average_precision") == Approx(11.0 / 12));
  CHECK(report.confusion.empty());
  CHECK(report.probabilities.size() == 14);

  // Logits mean the same through the logistic function: 2 is 0.88.
  scorer.outputs = config::OutputKind::logits;
  const results::ModeReport logits = scorer.report({}, outputs(2, std::vector<float>(14, 2.0f)));
  CHECK(logits.probabilities[0] == Approx(0.8807970779778823));
  CHECK(value(logits.metrics, "auroc") == Approx(0.5));  // all are tied
  // Eight times over, so that no resample is without both truths; the scores stay.
  Scorer larger = scorer;
  results::ModeReport other, flat;
  for (int copy = 0; copy < 8; ++copy) {
    other.probabilities.insert(other.probabilities.end(), report.probabilities.begin(), report.probabilities.end());
    flat.probabilities.insert(flat.probabilities.end(), logits.probabilities.begin(), logits.probabilities.end());
    if (copy == 0) continue;
    larger.labels.insert(larger.labels.end(), scorer.labels.begin(), scorer.labels.end());
    larger.findings.insert(larger.findings.end(), scorer.findings.begin(), scorer.findings.end());
  }
  larger.compare(other, flat);
  REQUIRE(other.versus_source.size() == 2);
  CHECK(other.versus_source[0].difference == Approx(0.375));
  CHECK(other.versus_source[0].test == "bootstrap");
}

// Oracle: by hand: the other finding's ranking is perfect.
TEST_CASE("a finding that no image tells has no score, with the reason", "[experiment]") {
  Scorer scorer;
  scorer.evaluate.metrics = {"auroc"};
  scorer.evaluate.resamples = 100;
  scorer.outputs = config::OutputKind::sigmoid;
  scorer.labels.assign(2, -1);
  scorer.findings = {1, -1, 0, -1};
  const results::ModeReport report = scorer.report({}, outputs(2, {.9f, .5f, .2f, .5f}));
  CHECK(value(report.metrics, "auroc") == Approx(1));
  CHECK_FALSE(report.findings.at(1).metrics.at(0).score.value);
  CHECK(report.findings[1].metrics[0].score.reason == "no image states it");
}

// 5 positives of 200: the issue's own case. DeLong is defined, and a free draw without a positive voids nothing.
// Law: an interval holds its value. Oracle: the method and test of docs/guide.md#scores for each metric.
TEST_CASE("an AUROC of few positives has its interval and DeLong's test", "[experiment]") {
  Scorer scorer;
  scorer.evaluate.metrics = {"auroc", "average_precision", "ece", "accuracy"};
  scorer.evaluate.resamples = 500;
  std::vector<float> first, second;
  for (int i = 0; i < 200; ++i) {
    scorer.labels.push_back(i < 5 ? 1 : 0);
    const auto x = static_cast<float>(i * 37 % 101) / 50, y = static_cast<float>(i * 61 % 103) / 50;
    first.insert(first.end(), {0, x + (i < 5 ? 0.5f : 0) - 2});
    second.insert(second.end(), {0, y + (i < 5 ? 1.5f : 0) - 2});
  }
  const results::ModeReport source = scorer.report({}, outputs(2, first));
  results::ModeReport other = scorer.report({}, outputs(2, second));
  scorer.compare(other, source);
  REQUIRE(other.versus_source.size() == 4);
  for (const results::MetricResult& result : other.metrics) {
    INFO(result.name);
    REQUIRE(result.interval);
    CHECK(result.interval->low <= *result.score.value);
    CHECK(result.interval->high >= *result.score.value);
  }
  CHECK(other.metrics[0].method == "delong");
  CHECK(other.metrics[3].method == "wilson");
  for (const results::Comparison& c : other.versus_source) {
    INFO(c.metric);
    CHECK(c.interval);
    CHECK(c.reason.empty());
    CHECK(c.p.value() > 0);
  }
  CHECK(other.versus_source[0].test == "delong");
  CHECK(other.versus_source[3].test == "mcnemar");

  // Without a positive there is nothing to rank, and each null has its reason.
  scorer.labels.assign(200, 0);
  const results::ModeReport none = scorer.report({}, outputs(2, first));
  results::ModeReport again = scorer.report({}, outputs(2, second));
  scorer.compare(again, none);
  CHECK_FALSE(none.metrics[0].interval);
  CHECK(none.metrics[0].reason == "no class with images of it and images of others");
  CHECK_FALSE(std::isfinite(again.versus_source[0].difference));
  CHECK_FALSE(again.versus_source[0].p);
  CHECK(again.versus_source[0].reason == "no class with images of it and images of others");
}

// A law: with every image twice, as two images of one patient, resampling patients is resampling the images once.
TEST_CASE("images of one patient are resampled together", "[experiment]") {
  Scorer once;
  once.evaluate.metrics = {"accuracy"};
  once.evaluate.resamples = 500;
  once.labels = {0, 1, 0, 1, 1, 0};
  const std::vector<float> logits{2, 0, 2, 0, 0, 1, 0, 3, 0, 2, 1, 0};
  Scorer twice = once;
  std::vector<float> doubled;
  twice.labels.clear();
  for (std::size_t i = 0; i < 6; ++i)
    for (int copy = 0; copy < 2; ++copy) {
      twice.labels.push_back(once.labels[i]);
      doubled.insert(doubled.end(), {logits[2 * i], logits[2 * i + 1]});
      twice.clusters.of.push_back(static_cast<std::uint32_t>(i));
    }
  twice.clusters.count = 6;
  const results::ModeReport a = once.report({}, outputs(2, logits));
  results::ModeReport b = twice.report({}, outputs(2, doubled));
  REQUIRE(a.metrics[0].interval);
  REQUIRE(b.metrics[0].interval);
  // 1e-12: the images that twelve alike in pairs are worth, six, come of a quotient.
  CHECK(a.metrics[0].interval->low == Approx(b.metrics[0].interval->low).epsilon(1e-12));
  CHECK(a.metrics[0].interval->high == Approx(b.metrics[0].interval->high).epsilon(1e-12));

  // McNemar would count each patient as often as it has images.
  const results::ModeReport source = twice.report({}, outputs(2, std::vector<float>(24, 0.0f)));
  twice.compare(b, source);
  REQUIRE(b.versus_source.size() == 1);
  CHECK(b.versus_source[0].test == "clustered bootstrap");
}

// Oracle: by hand: right, wrong, not labelled, right.
TEST_CASE("subgroups are scored by themselves", "[experiment]") {
  Scorer scorer;
  scorer.evaluate.metrics = {"accuracy"};
  scorer.evaluate.resamples = 100;
  scorer.labels = {0, 1, -1, 0};
  scorer.subgroups = {{"view", "pa", {0, 2}}, {"view", "ap", {1, 3}}};
  // Right, wrong, not labelled, right.
  const results::ModeReport report = scorer.report({}, outputs(2, {2, 0, 2, 0, 0, 0, 2, 0}));
  REQUIRE(report.subgroups.size() == 2);
  CHECK(report.subgroups[0].name == "pa");
  CHECK(report.subgroups[0].images == 2);
  CHECK(report.subgroups[0].labelled == 1);
  CHECK(value(report.subgroups[0].metrics, "accuracy") == 1);
  CHECK(value(report.subgroups[1].metrics, "accuracy") == 0.5);
}
