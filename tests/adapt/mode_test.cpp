#include "shiftnorm/adapt/mode.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm::adapt;
using Catch::Matchers::Contains;

// Law: a round trip.
TEST_CASE("Names are read and written alike", "[adapt]") {
  for (const std::string& name : kPolicies.list()) CHECK(name_of(parse_policy(name)) == name);
  for (const char* name : {"population", "batch-mean", "ema", "ema-reset", "dua"})
    CHECK(name_of(parse_estimator(name)) == name);
  for (const char* name : {"layerwise", "batch", "source"}) CHECK(name_of(parse_semantics(name)) == name);
  CHECK(parse_policy("hybrid") == Policy::hybrid_decay);
  CHECK(
      note_on_policy_name("hybrid") ==
      "policy hybrid is now called hybrid-decay: it is the rule of the repository of Hybrid-TTN (CoLLAs 2024), not the "
      "one that its paper describes");
  CHECK(note_on_policy_name("hybrid-decay").empty());
  CHECK_THROWS_WITH(parse_policy("adbn"),
                    Contains("policy 'adbn' (nearest is 'adabn'); expected source, adabn, blend, "));
  CHECK_THROWS_AS(parse_estimator("median"), shiftnorm::ConfigError);
}

// Oracle: docs/reference/estimators.md, which combinations exist.
TEST_CASE("Sensible modes have no problems", "[adapt]") {
  CHECK(problems({}).empty());
  CHECK(problems({.policy = Policy::blend, .prior_images = 16}).empty());
  CHECK(problems({.policy = Policy::batch, .batch = 8, .source_weight = 0.5}).empty());
  CHECK(problems({.semantics = Semantics::batch, .estimator = Estimator::ema, .momentum = 0.1}).empty());
  CHECK(problems({.semantics = Semantics::batch, .estimator = Estimator::dua, .batch = 1}).empty());
}

// Law: one line for each problem, with what was found and expected.
TEST_CASE("Impossible modes say what was found and what was expected, all at once", "[adapt]") {
  const auto only = [](const Mode& mode) {
    const auto list = problems(mode);
    REQUIRE(list.size() == 1);
    return list[0];
  };
  CHECK_THAT(only({.batch = -3}), Contains("batch = -3; expected 1 or more images"));
  CHECK_THAT(only({.estimator = Estimator::ema}),
             Contains("semantics layerwise with estimator ema; expected estimator population"));
  CHECK_THAT(only({.policy = Policy::blend}), Contains("policy blend has no weight"));
  CHECK_THAT(only({.policy = Policy::blend, .source_weight = 1.5}),
             Contains("source_weight = 1.5; expected a number in [0, 1]"));
  CHECK_THAT(only({.source_weight = 0.5}), Contains("policy adabn takes no source_weight"));
  CHECK_THAT(only({.semantics = Semantics::batch, .estimator = Estimator::ema, .momentum = 0.0}),
             Contains("momentum = 0; expected a number in (0, 1]"));
  CHECK_THAT(only({.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .momentum = 0.1}),
             Contains("estimator batch-mean takes no momentum"));
  CHECK_THAT(only({.semantics = Semantics::batch, .estimator = Estimator::dua}), Contains("expected batch 1"));
  CHECK(problems({.policy = Policy::blend, .batch = 0, .source_weight = 2.0, .prior_images = 1}).size() == 3);
}

// Law: statistics of each batch are those of no file.
TEST_CASE("Only batch and instance cannot be exported", "[adapt]") {
  for (const std::string& name : kPolicies.list())
    CHECK(exportable(parse_policy(name)) == (name != "batch" && name != "instance"));
}
