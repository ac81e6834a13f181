#include "shiftnorm/results/results_json.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "results/sample_run.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/results/run_record.hpp"

using namespace shiftnorm;
using container::Json;

// Oracle: the keys that the documentation of results.json promises, and the counts the run was made with.
TEST_CASE("results.json has its documented keys", "[report]") {
  results::RunResults run = test::sample_run();
  run.verdict = results::Verdict{"blend16", {"one", "two"}, "high"};
  const Json json = container::parse_json(results::results_json(run));
  CHECK(json.at("schema").as_integer() == 1);
  CHECK(json.at("name").as_string() == "cifar10-noise");
  CHECK(json.at("protocol").as_string() == "transductive");
  CHECK(json.at("seed").as_integer() == 7);
  CHECK(json.at("model").at("sha256").as_string().size() == 64);
  CHECK(json.at("model").at("architecture").as_string() == "cifar_resnet20");
  CHECK(json.at("model").at("batchnorms").as_integer() == 19);
  CHECK(json.at("model").at("levels").as_integer() == 19);
  const Json& target = json.at("data").at("target");
  CHECK(target.at("images").as_integer() == 500);
  CHECK(target.at("skipped").as_integer() == 3);
  CHECK(target.at("bad").as_integer() == 2);
  CHECK(target.at("patients").is_null());
  CHECK(target.at("fingerprint").is_string());
  CHECK(json.at("bad").as_array().at(0).at("id").as_string() == "dog/0107.jpg");
  CHECK(json.at("verdict").at("mode").as_string() == "blend16");
  CHECK(json.at("verdict").at("confidence").as_string() == "high");
  CHECK(json.at("verdict").at("because").as_array().size() > 1);

  const Json& adabn = json.at("modes").as_array().at(1);
  CHECK(adabn.at("name").as_string() == "adabn");
  CHECK(adabn.at("policy").as_string() == "adabn");
  CHECK(adabn.at("semantics").as_string() == "layerwise");
  CHECK(adabn.at("estimator").as_string() == "population");
  const Json& accuracy = adabn.at("metrics").at("accuracy");
  CHECK(accuracy.at("value").as_number() == 0.526);
  CHECK(accuracy.at("low").as_number() < 0.526);
  CHECK(accuracy.at("high").as_number() > 0.526);
  CHECK(accuracy.at("interval").at("method").as_string() == "wilson");
  CHECK(accuracy.at("interval").find("drawn") == nullptr);
  CHECK(adabn.at("metrics").at("balanced_accuracy").at("interval").at("drawn").as_string() == "freely");
  const Json& versus = adabn.at("versus_source").at("accuracy");
  CHECK(versus.at("difference").as_number() == Approx(0.338).epsilon(1e-12));
  CHECK(versus.at("test").as_string() == "mcnemar");
  CHECK(versus.at("p").as_number() < 1e-10);
  CHECK(adabn.at("versus_source").at("ece").at("test").as_string() == "bootstrap");
  CHECK(adabn.at("seconds").at("adapt").as_number() > 0);
  CHECK(adabn.at("seconds").at("evaluate").as_number() == 0.8);
  CHECK(adabn.at("images_per_second").as_number() > 400);
  CHECK(json.at("modes").as_array().at(3).at("batch").as_integer() == 50);
  CHECK(json.at("modes").as_array().at(2).at("prior_images").as_number() == 16);
}

// Law: the confusion's diagonal over its total is the accuracy; its rows sum to the support.
TEST_CASE("results.json holds confusion and class scores that agree", "[report]") {
  const Json json = container::parse_json(results::results_json(test::sample_run(2)));
  for (const Json& mode : json.at("modes").as_array()) {
    std::int64_t right = 0;
    for (std::size_t c = 0; c < 10; ++c) {
      const Json& row = mode.at("confusion").as_array().at(c);
      std::int64_t images = 0;
      for (const Json& cell : row.as_array()) images += cell.as_integer();
      CHECK(mode.at("per_class").as_array().at(c).at("support").as_integer() == images);
      right += row.as_array().at(c).as_integer();
    }
    CHECK(static_cast<double>(right) / 500 == mode.at("metrics").at("accuracy").at("value").as_number());
  }
}

// Oracle: the run has no labels; docs/reference/results.md.
TEST_CASE("results.json without labels says why there is no score", "[report]") {
  const Json json = container::parse_json(results::results_json(test::unlabelled_run()));
  CHECK(json.at("data").at("target").at("labelled").as_integer() == 0);
  CHECK(json.at("verdict").at("mode").is_null());
  CHECK(json.at("verdict").at("confidence").as_string() == "cannot tell");
  for (const Json& mode : json.at("modes").as_array()) {
    CHECK(mode.at("metrics").at("accuracy").at("value").is_null());
    CHECK(mode.at("metrics").at("accuracy").at("reason").as_string() == "the images have no labels");
    CHECK(mode.at("versus_source").as_object().empty());
    CHECK(mode.at("confusion").is_null());
    CHECK(mode.at("mean_confidence").as_number() > 0);
  }
}

// A number that is null has its reason beside it: of an interval, of a difference, of what is said without labels.
// Oracle: the reasons put in.
TEST_CASE("results.json gives a reason for each null of a score", "[report]") {
  results::RunResults run = test::sample_run(2);
  run.modes[1].metrics[0].interval.reset();
  run.modes[1].metrics[0].reason = "why not";
  run.modes[1].versus_source[0] = {
      "accuracy", std::numeric_limits<double>::quiet_NaN(), std::nullopt, "", std::nullopt, "", "nothing to compare"};
  run.modes[1].label_free.emplace().reasons["cot"] = "too large";
  const Json json = container::parse_json(results::results_json(run));
  const Json& mode = json.at("modes").as_array().at(1);
  CHECK(mode.at("metrics").at("accuracy").at("low").is_null());
  CHECK(mode.at("metrics").at("accuracy").at("reason").as_string() == "why not");
  const Json& versus = mode.at("versus_source").at("accuracy");
  CHECK(versus.at("difference").is_null());
  CHECK(versus.at("p").is_null());
  CHECK(versus.at("test").is_null());
  CHECK(versus.at("reason").as_string() == "nothing to compare");
  CHECK(mode.at("label_free").at("cot").is_null());
  CHECK(mode.at("label_free").at("reasons").at("cot").as_string() == "too large");
}

// Oracle: the values put in.
TEST_CASE("results.json turns what is undefined into null with a reason", "[report]") {
  results::RunResults run = test::sample_run(2);
  run.modes[4].metrics[2].score = {std::nullopt,
                                   "3 of 500 images have outputs that are not probabilities (NaN, or outside 0 to 1)"};
  run.modes[4].metrics[3].score = {std::numeric_limits<double>::quiet_NaN(), {}};
  run.modes[5].per_class[0].precision = {std::nullopt, "never predicted"};
  const Json json = container::parse_json(results::results_json(run));
  const Json& mode = json.at("modes").as_array().at(4);
  CHECK(mode.at("metrics").at("nll").at("value").is_null());
  CHECK_THAT(mode.at("metrics").at("nll").at("reason").as_string(), Catch::StartsWith("3 of 500 images"));
  CHECK(mode.at("metrics").at("ece").at("reason").as_string() == "the value is not finite");
  const Json& first = json.at("modes").as_array().at(5).at("per_class").as_array().at(0);
  CHECK(first.at("precision").at("value").is_null());
  CHECK(first.at("precision").at("reason").as_string() == "never predicted");
}

// Oracle: the values put in; settled is below 0.1.
TEST_CASE("results.json tells whether the images were enough, null where it cannot be told", "[report]") {
  results::RunResults run = test::sample_run();
  run.modes[1].settling.layers = {{"bn1", 0.25, 0.5}, {"bn2", 0.05, std::nan("")}};
  run.modes[1].settling.prior = 4.5;
  run.modes[1].settling.images = 12;
  const Json json = container::parse_json(results::results_json(run));
  CHECK(json.at("modes").as_array().at(0).find("settling") == nullptr);
  const Json& settling = json.at("modes").as_array().at(1).at("settling");
  CHECK(settling.at("images").as_integer() == 12);
  CHECK_FALSE(settling.at("settled").as_bool());
  CHECK(settling.at("worst").at("layer").as_string() == "bn1");
  CHECK(settling.at("prior_images").as_number() == 4.5);
  CHECK(settling.at("layers").as_array().at(1).at("shift").is_null());
  run.modes[1].settling.layers[0].error = 0.09;  // below the threshold of 0.1
  CHECK(container::parse_json(results::results_json(run))
            .at("modes")
            .as_array()
            .at(1)
            .at("settling")
            .at("settled")
            .as_bool());
}

// Oracle: the values put in.
TEST_CASE("results.json tells the drift of modes that measured, null where it is undefined", "[report]") {
  results::RunResults run = test::sample_run();
  run.modes[1].drift = {{"bn1", 0.5, 2.0, 0.25, 1.5, 0}, {"bn2", std::nan(""), 1.0, std::nan(""), 3.0, 16}};
  const Json json = container::parse_json(results::results_json(run));
  CHECK(json.at("modes").as_array().at(0).find("drift") == nullptr);
  const Json& drift = json.at("modes").as_array().at(1).at("drift");
  CHECK(drift.as_array().at(0).at("layer").as_string() == "bn1");
  CHECK(drift.as_array().at(0).at("symmetric_kl").as_number() == 0.25);
  CHECK(drift.as_array().at(1).at("mean_shift").is_null());
  CHECK(drift.as_array().at(1).at("constant_channels").as_integer() == 16);
}

// Law: what is read back is written as the same text.
TEST_CASE("results that are read from results.json are written as the same text", "[results]") {
  results::RunResults rich = test::sample_run(2);
  rich.id = std::string(64, 'a');
  rich.libraries = {{"oneDNN", "2.6.0"}};
  rich.assumptions = {"strides are the architecture's"};
  rich.label_counts = {"t.csv", {}, 1, 2, 3, 4};
  rich.split = {"patient", 0.5, 10, 12, 3, std::nullopt};
  rich.domain_key = "scanner";
  rich.clusters = 480;
  rich.stream_batch = 5;
  rich.exported_mode = "adabn";
  rich.exported_file = "a.pth";
  rich.verdict = results::Verdict{std::nullopt, {"one", "two"}, "cannot tell"};
  rich.recommendation = results::Recommendation{"adabn", {"because"}, "low"};
  results::ModeReport& mode = rich.modes[1];
  mode.mode.layers = {{"layer1.*"}, {"*.bn2"}, 3, std::nullopt, 2, std::nullopt};
  mode.mode.batch = 8;
  mode.mode.shuffle = 7;
  mode.mode.momentum = 0.1;
  mode.reused = {"blend16", ""};
  mode.note = "a note";
  mode.settling = {{{"bn1", 0.25, 0.5}, {"bn2", 0.05, std::nan("")}}, 4.5, 12};
  mode.drift = {{"bn1", 0.5, 2.0, 0.25, 1.5, 0}, {"bn2", std::nan(""), 1.0, std::nan(""), 3.0, 16}};
  mode.metrics[0].interval.reset();
  mode.metrics[0].reason = "why not";
  mode.versus_source[0].difference = std::nan("");
  mode.label_free.emplace().reasons["cot"] = "too large";
  mode.label_free->shares = {0.25, 0.75};
  mode.subgroups = {{"sex", "f", 10, 9, mode.metrics}};
  mode.findings = {{"effusion", 10, 3, mode.metrics}};
  mode.stream = {{5, 0, 0, 0}, {5, 4, 0.25, 0.5}};
  mode.after = {rich.modes[2]};
  mode.after[0].mode = mode.mode;
  results::DomainReport& domain = mode.domains.emplace_back();
  domain.name = "a";
  domain.images = 7;
  domain.measured = 6;
  domain.mode.policy = "blend";
  domain.mode.prior_images = 16;
  domain.fell_back = true;
  domain.metrics = mode.metrics;
  for (const results::RunResults& run :
       {rich, test::sample_run(2), test::unlabelled_run(), test::small_run({true, false, true}, {true, true, false})}) {
    const std::string text = results::results_json(run);
    const results::RunResults again = results::read_results(container::parse_json(text));
    CHECK(results::results_json(again) == text);
    const results::RunRecord before = results::record_of(run), after = results::record_of(again);
    REQUIRE(after.scores.size() == before.scores.size());
    for (std::size_t i = 0; i < after.scores.size(); ++i) {
      CHECK(after.scores[i].metric == before.scores[i].metric);
      CHECK(after.scores[i].value == before.scores[i].value);
      CHECK(after.scores[i].difference == before.scores[i].difference);
      CHECK(after.scores[i].reason == before.scores[i].reason);
    }
  }
}

// Oracle: the schema number changed and the key left out.
TEST_CASE("what is no results.json of this schema is refused by key", "[results]") {
  const std::string text = results::results_json(test::sample_run(2));
  Json other = container::parse_json(text);
  other.set("schema", 2);
  CHECK_THROWS_WITH(results::read_results(other), "results of schema 2; expected 1");
  Json missing = container::parse_json("{\"schema\": 1}");
  CHECK_THROWS_WITH(results::read_results(missing), Catch::Contains("name"));
}
