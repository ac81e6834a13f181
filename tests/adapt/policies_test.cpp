#include <catch2/catch.hpp>
#include <cmath>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;

namespace {

// Numbers chosen so that the formulas of docs/reference/estimators.md#policies come out by hand.
const stats::Statistics kSource{
    {"a", {0.0, 2.0}, {1.0, 4.0}}, {"b", {1.0, 1.0, 1.0, 1.0}, {1.0, 1.0, 1.0, 1.0}}, {"c", {0.0}, {9.0}}};
const stats::Statistics kTarget{
    {"a", {4.0, 2.0}, {9.0, 16.0}}, {"b", {1.5, 1.0, 3.0, 1.0}, {1.0, 4.0, 1.0, 1.0}}, {"c", {5.0}, {1.0}}};

std::vector<graph::BatchNorm> layers() {
  std::vector<graph::BatchNorm> out;
  for (const auto& layer : kSource) {
    graph::BatchNorm set;
    set.name = layer.name;
    set.channels = static_cast<std::int64_t>(layer.mean.size());
    set.epsilon = 0.25;
    set.level = static_cast<std::int64_t>(out.size()) + 1;
    out.push_back(set);
  }
  return out;
}

stats::Statistics apply(const Mode& mode, std::int64_t images = 48) {
  return apply_policy(mode, layers(), kSource, kTarget, images);
}

}  // namespace

// Oracle: the definitions: the one side, and the other.
TEST_CASE("source and adabn keep one side", "[adapt]") {
  CHECK(apply({.policy = Policy::source})[0].mean == kSource[0].mean);
  CHECK(apply({.policy = Policy::adabn})[1].variance == kTarget[1].variance);
}

// Oracle: Schneider et al. 2020, lambda = N / (N + n) = 16 / 64.
TEST_CASE("blend weighs the source as a prior of N images", "[adapt]") {
  const auto out = apply({.policy = Policy::blend, .prior_images = 16});
  CHECK(out[0].mean == std::vector<double>{3.0, 2.0});
  CHECK(out[0].variance == std::vector<double>{7.0, 13.0});
  CHECK(apply({.policy = Policy::blend, .prior_images = 0})[0].mean == kTarget[0].mean);
  CHECK(apply({.policy = Policy::blend, .source_weight = 1.0})[0].mean == kSource[0].mean);
}

// Oracle: the formula of docs/reference/estimators.md#policies, worked by hand.
TEST_CASE("mixture adds the variance between the two means", "[adapt]") {
  // 0.5 * 1 + 0.5 * 9 + 0.25 * (0 - 4)^2 = 9; the second channel's means are equal: 10.
  const auto out = apply({.policy = Policy::mixture, .source_weight = 0.5});
  CHECK(out[0].mean == std::vector<double>{2.0, 2.0});
  CHECK(out[0].variance == std::vector<double>{9.0, 10.0});
}

// Oracle: the definitions.
TEST_CASE("mean-only and variance-only take one of the two", "[adapt]") {
  CHECK(apply({.policy = Policy::mean_only})[0].variance == kSource[0].variance);
  CHECK(apply({.policy = Policy::mean_only})[0].mean == kTarget[0].mean);
  CHECK(apply({.policy = Policy::variance_only})[0].mean == kSource[0].mean);
  CHECK(apply({.policy = Policy::variance_only})[0].variance == kTarget[0].variance);
}

// Oracle: floor(C (L-1-l) / (L-1)) channels by the distances of docs/reference/estimators.md#policies, by hand.
TEST_CASE("hybrid-decay keeps the target where channels moved least, fewer in deeper layers", "[adapt]") {
  const auto out = apply({.policy = Policy::hybrid_decay});
  CHECK(out[0].mean == kTarget[0].mean);  // l = 0: all
  // l = 1 of 3: half of four channels. Distances 0.25, 1, 4, 0: channels 3 and 0 stay.
  CHECK(out[1].mean == std::vector<double>{1.5, 1.0, 1.0, 1.0});
  CHECK(out[1].variance == std::vector<double>{1.0, 1.0, 1.0, 1.0});
  CHECK(out[2].mean == kSource[2].mean);  // the last: none
}

// Oracle: BatchNormalization with mean 0 and variance 1 - epsilon.
TEST_CASE("disabled leaves gamma x + beta, identity leaves x, normalise-only the source without affine", "[adapt]") {
  for (const Policy policy : {Policy::disabled, Policy::identity}) {
    const auto out = apply({.policy = policy});
    CHECK(out[1].mean == std::vector<double>(4, 0.0));
    for (const double v : out[1].variance) CHECK(v + 0.25 == 1.0);
    CHECK(out[1].plain_affine == (policy == Policy::identity));
  }
  const auto out = apply({.policy = Policy::normalise_only});
  CHECK(out[0].variance == kSource[0].variance);
  CHECK(out[0].plain_affine);
}

// Law: a layer that takes no part is as it was.
TEST_CASE("Layers outside the rule keep the source under every policy", "[adapt]") {
  for (const std::string& name : kPolicies.list()) {
    Mode mode{.policy = parse_policy(name), .layers = {.include = {"b"}}};
    if (mode.policy == Policy::blend || mode.policy == Policy::mixture) mode.source_weight = 0.5;
    if (!exportable(mode.policy)) {
      CHECK_THROWS_AS(apply(mode), ConfigError);
      continue;
    }
    const auto out = apply(mode);
    CHECK(out[0].mean == kSource[0].mean);
    CHECK(out[2].variance == kSource[2].variance);
    CHECK_FALSE(out[0].plain_affine);
  }
}
