#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;

namespace {

graph::Graph two_levels() {
  graph::Graph g;
  ValueId x = g.add("Relu", "r", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 2, 6, 6}), 2, 4), 4)});
  x = norm(g, "bn2", conv(g, "c2", x, 4, 3), 3);
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "gap", {x})}));
  return g;
}

Images random_images(std::size_t count, unsigned seed) {
  return {count, [seed](std::size_t i, std::span<float> dst) {
            std::ranges::copy(random_floats(dst.size(), seed + static_cast<unsigned>(i)), dst.begin());
          }};
}

/// Classes by turns, each image of one.
stats::Reference measured(Engine& engine, const Images& images, std::size_t classes, bool findings = false) {
  std::vector<double> epsilons;
  for (const graph::BatchNorm& layer : engine.batch_norms()) epsilons.push_back(layer.epsilon);
  std::vector<std::string> names;
  for (std::size_t c = 0; c < classes; ++c) names.push_back("class" + std::to_string(c));
  stats::Reference out = stats::empty_reference(engine.source(), epsilons, names, findings);
  const auto seen = [&](const SeenImage& image) {
    std::vector<double> q(out.groups(), 0.0), p(classes, 0.0);
    if (findings)
      for (std::size_t f = 0; f < classes; ++f) q[2 * f + (image.image >> f & 1)] = 1;
    else
      q[image.image % classes] = 1;
    out.add_image(q, p);
    for (const SeenLayer& layer : image.layers) out.add_moments(layer.layer, q, layer.sum, layer.square, layer.values);
  };
  engine.each_image(engine.source(), images, "reference", seen, [] {}, {});
  return out;
}

Mode matched_to(const stats::Reference& reference, std::vector<double> shares) {
  Mode mode{.name = "matched", .policy = Policy::matched};
  mode.mixture = std::make_shared<const Mixture>(mixture_of(reference, "hash", std::move(shares)));
  return mode;
}

/// A mixture of one layer with given moments.
Mixture of_layer(std::vector<double> mean, std::vector<double> variance) {
  Mixture out;
  out.parts.push_back({{stats::LayerStatistics{"bn", std::move(mean), std::move(variance)}}, {}});
  return out;
}

}  // namespace

// Oracle: the formula of docs/reference/estimators.md#matched by hand. Channel 0: r = sqrt((3.5 + 0.5) / (0.5 + 0.5))
// = 2, mean = 1 + 2 (2 - 0.5) = 4, variance = 4 * 3. Channel 1: r = 1. Channel 2 is dead in the reference.
TEST_CASE("Matching does to the source what the domain did to the reference", "[matched]") {
  const Mixture mixture = of_layer({0.5, -1, 7}, {0.5, 1, 1e-12});
  const stats::LayerStatistics source{"bn", {2, 0, 3}, {3, 5, 1}};
  stats::LayerStatistics target{"bn", {1, 4, 6}, {3.5, 1, 0.25}};
  match(mixture, 0, 0.5, source, target);
  CHECK(target.mean == std::vector<double>{4, 5, 6});
  CHECK(target.variance == std::vector<double>{12, 5, 0.25});
}

// Law: a reference that says what the file says asks for what was measured, which is policy adabn.
TEST_CASE("Matching to the source itself is adabn", "[matched]") {
  Engine engine(two_levels(), {});
  Mode mode{.name = "m", .policy = Policy::matched};
  Mixture same;
  same.parts.push_back({engine.source(), {}});
  mode.mixture = std::make_shared<const Mixture>(same);
  const Images target = random_images(9, 500);
  const ModeResult matched = engine.run(mode, target, kSameImages, {}), adabn = engine.run({}, target, kSameImages, {});
  for (std::size_t l = 0; l < adabn.statistics.size(); ++l)
    for (std::size_t c = 0; c < adabn.statistics[l].mean.size(); ++c) {
      // Behind the first layer inputs differ as that layer's variance does, by epsilon (1e-5).
      CHECK(matched.statistics[l].mean[c] == Approx(adabn.statistics[l].mean[c]).margin(l == 0 ? 1e-12 : 1e-5));
      // (v_t + e) / (v_s + e) v_s differs from v_t by e.
      const double epsilon = engine.batch_norms()[l].epsilon;
      CHECK(std::abs(matched.statistics[l].variance[c] - adabn.statistics[l].variance[c]) <=
            epsilon * (1 + adabn.statistics[l].variance[c] / engine.source()[l].variance[c]) + (l == 0 ? 1e-12 : 1e-5));
    }
}

// Law: statistics are a property of the images: the same bits for any number of threads, order and memory.
TEST_CASE("Matched statistics have the same bits however they are measured", "[matched]") {
  Engine one(two_levels(), {.threads = 1}), four(two_levels(), {.threads = 4}),
      small(two_levels(), {.threads = 2, .memory = 1024});
  const stats::Reference reference = measured(one, random_images(12, 10), 3);
  const Mode mode = matched_to(reference, {0.6, 0.4, 0});
  const Images target = random_images(10, 700);
  const Images backwards{10, [&](std::size_t i, std::span<float> dst) { target.load(9 - i, dst); }};
  const ModeResult expected = one.run(mode, target, kSameImages, {});
  const auto check = [&](const ModeResult& found) {
    for (std::size_t l = 0; l < expected.statistics.size(); ++l) {
      CHECK(found.statistics[l].mean == expected.statistics[l].mean);
      CHECK(found.statistics[l].variance == expected.statistics[l].variance);
    }
  };
  check(four.run(mode, target, kSameImages, {}));
  check(small.run(mode, target, kSameImages, {}));
  check(one.run(mode, backwards, kSameImages, {}));
  CHECK(expected.statistics[0].mean !=
        one.run(matched_to(reference, {0.1, 0.9, 0}), target, nullptr, {}).statistics[0].mean);
}

// Law: a layer's correction is in what the next one sees: what is measured of the second layer differs from adabn's,
// and what apply_policy() makes of all that was measured is what the network used.
TEST_CASE("Later layers are measured behind matched ones", "[matched]") {
  Engine engine(two_levels(), {});
  const Mode mode = matched_to(measured(engine, random_images(12, 10), 3), {0.2, 0.2, 0.6});
  const Images target = random_images(10, 700);
  const ModeResult matched = engine.run(mode, target, kSameImages, {}), adabn = engine.run({}, target, nullptr, {});
  CHECK(matched.measured[0].mean == adabn.measured[0].mean);
  CHECK(matched.measured[1].mean != adabn.measured[1].mean);
  const Outputs again = engine.infer(matched.statistics, target, {});
  CHECK(again.values == matched.outputs->values);
}

// Law: all layers matched is the mode itself, and none of them the source.
TEST_CASE("The first layers alone can be matched", "[matched]") {
  Engine engine(two_levels(), {});
  const Mode mode = matched_to(measured(engine, random_images(12, 10), 3), {0.2, 0.2, 0.6});
  const Images target = random_images(10, 700);
  CHECK(engine.match_first(mode, 2, target, {}).outputs.values ==
        engine.run(mode, target, kSameImages, {}).outputs->values);
  const PartlyMatched none = engine.match_first(mode, 0, target, {});
  CHECK(none.outputs.values == engine.infer(engine.source(), target, {}).values);
  CHECK(none.images.size() == 10);
  const Mode by_source{.semantics = Semantics::source};
  CHECK(none.measured[1].mean == engine.measure(by_source, target, {})[1].mean);
}

// Law: what an interrupted measurement reached is gone on from, to the same bits.
TEST_CASE("A matched measurement goes on where it was interrupted", "[matched]") {
  Engine engine(two_levels(), {});
  const Mode mode = matched_to(measured(engine, random_images(12, 10), 3), {0.2, 0.2, 0.6});
  const Images target = random_images(10, 700);
  const ModeResult whole = engine.run(mode, target, nullptr, {});
  stats::Statistics reached;
  std::atomic<bool> stop = false;
  Progress stopping;
  // Ten images on the way to the first BatchNorm, ten to the second: the second level is under way.
  stopping.report = [&stop](std::string_view, std::int64_t done, std::int64_t) { stop = stop || done > 13; };
  stopping.cancelled = &stop;
  CHECK_THROWS_AS(engine.run(mode, target, nullptr, stopping, &reached), Interrupted);
  REQUIRE(reached.at(0).values > 0);
  REQUIRE(reached.at(1).values == 0);
  const ModeResult resumed = engine.run(mode, target, nullptr, {}, &reached);
  CHECK(resumed.statistics[1].mean == whole.statistics[1].mean);
  CHECK(resumed.statistics[1].variance == whole.statistics[1].variance);
}

// Law: domains with mixtures of their own get the bits of runs on their images alone.
TEST_CASE("Domains are matched each to its own mixture", "[matched]") {
  Engine engine(two_levels(), {.threads = 2});
  const stats::Reference reference = measured(engine, random_images(12, 10), 3);
  const Images target = random_images(10, 700);
  const std::vector<Domain> domains{{{0, 1, 2, 3}, matched_to(reference, {0.9, 0.1, 0})},
                                    {{4, 5, 6, 7, 8, 9}, matched_to(reference, {0, 0.1, 0.9})}};
  const DomainResults found = engine.run_domains(domains, target, true, {});
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const Images own{domains[d].images.size(),
                     [&](std::size_t i, std::span<float> dst) { target.load(domains[d].images[i], dst); }};
    const ModeResult alone = engine.run(domains[d].mode, own, nullptr, {});
    for (std::size_t l = 0; l < alone.statistics.size(); ++l)
      CHECK(found.domains[d].statistics[l].mean == alone.statistics[l].mean);
  }
}

// Oracle: arithmetic. One finding alone is matched as two classes are; two findings are weighted by how far their means
// lie apart, and weights add up to 1.
TEST_CASE("Findings are matched each by itself and weighted", "[matched]") {
  Engine engine(two_levels(), {});
  const Images images = random_images(16, 10);
  const stats::Reference reference = measured(engine, images, 2, true);
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Mixture one = mixture_of(reference, "hash", {0.3, none}), two = mixture_of(reference, "hash", {0.3, 0.8});
  REQUIRE(one.parts.size() == 1);
  REQUIRE(two.parts.size() == 2);
  for (std::size_t l = 0; l < 2; ++l)
    for (std::size_t c = 0; c < two.parts[0].weights[l].size(); ++c) {
      CHECK(one.parts[0].weights[l][c] == 1);
      CHECK(two.parts[0].weights[l][c] + two.parts[1].weights[l][c] == Approx(1).epsilon(1e-12));
    }
  const stats::Moments absent = reference.moments(1, 0), present = reference.moments(1, 1);
  CHECK(one.parts[0].moments[1].mean[0] == Approx(0.7 * absent.mean[0] + 0.3 * present.mean[0]).epsilon(1e-12));
  CHECK_THROWS_AS(mixture_of(reference, "hash", {none, none}), ConfigError);
}

// Oracle: Saerens et al. 2002, eq. 4 by hand.
TEST_CASE("Predictions are corrected by the shares' ratio", "[matched]") {
  Mixture mixture;
  mixture.shares = {0.9, 0.1};
  mixture.reference_shares = {0.5, 0.5};
  const std::vector<double> prior = prior_logits(mixture);
  CHECK(prior[0] == Approx(std::log(1.8)));
  CHECK(prior[1] == Approx(std::log(0.2)));
  mixture.findings = true;
  CHECK(prior_logits(mixture)[0] == Approx(std::log(9.0)));
}

// Oracle: the texts; each names what was found and what was expected.
TEST_CASE("What cannot be matched is refused", "[matched]") {
  Engine engine(two_levels(), {});
  const stats::Reference reference = measured(engine, random_images(2, 10), 3);
  CHECK_THROWS_WITH(mixture_of(reference, "hash", {0.5, 0, 0.5}),
                    Catch::Contains("class 'class2' has a share of the target and no image in the reference"));
  CHECK_THROWS_WITH(engine.run({.name = "m", .policy = Policy::matched}, random_images(4, 1), nullptr, {}),
                    Catch::Contains("no reference of the training images"));
  Mode other{.name = "m", .policy = Policy::matched};
  Mixture wrong;
  wrong.parts.push_back({{stats::LayerStatistics{"bn1", {0}, {1}}}, {}});
  other.mixture = std::make_shared<const Mixture>(wrong);
  CHECK_THROWS_WITH(engine.run(other, random_images(4, 1), nullptr, {}), Catch::Contains("other layers"));
  CHECK_THROWS_WITH(parse_shares("cat=0.5,cat=0.5"), Catch::Contains("cat is named twice"));
  CHECK_THROWS_WITH(parse_shares("cat=2"), Catch::Contains("expected a share of the images"));
  CHECK_THROWS_WITH(parse_shares("given"), Catch::Contains("expected estimate, labels or class=share"));
  CHECK_THROWS_WITH(parse_shares("cat=,dog=1"), Catch::Contains("'cat='"));
  CHECK(parse_shares("dog=1,a=b=0").given == ShareList{{"a=b", 0}, {"dog", 1}});
}
