// Law: a run over several domains gives each of them the bits of a run over its images alone.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kCount = 12, kPixels = std::size_t{3} * 6 * 6;

/// Two levels, so that the second sees what the first one's domain made of it.
graph::Graph two_levels() {
  graph::Graph g;
  const ValueId a = g.add("Relu", "r1", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 3, 6, 6}), 3, 5), 5)});
  const ValueId b = g.add("Relu", "r2", {norm(g, "bn2", conv(g, "c2", a, 5, 4), 4)});
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "pool", {b})}));
  return g;
}

/// Each image lies elsewhere and spreads otherwise.
void picture(std::size_t i, std::span<float> dst) {
  const std::vector<float> noise = random_floats(kPixels, static_cast<unsigned>(100 + i));
  for (std::size_t p = 0; p < kPixels; ++p)
    dst[p] = noise[p] * (1.0f + 0.3f * static_cast<float>(i % 4)) + 0.1f * static_cast<float>(i);
}

Images only(const std::vector<std::size_t>& chosen) {
  return {chosen.size(), [chosen](std::size_t i, std::span<float> dst) { picture(chosen[i], dst); }};
}

void check_equal(const stats::Statistics& a, const stats::Statistics& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].mean == b[i].mean);
    CHECK(a[i].variance == b[i].variance);
    CHECK(a[i].values == b[i].values);
    CHECK(a[i].images == b[i].images);
    CHECK(a[i].batches == b[i].batches);
    CHECK(a[i].sums.sums() == b[i].sums.sums());
    CHECK(a[i].sums.squares() == b[i].sums.squares());
  }
}

const std::vector<std::vector<std::size_t>> kDomains{{0, 3, 4, 7, 9, 11}, {1, 10}, {2, 5, 6, 8}};

}  // namespace

// Oracle: the engine's run on each domain's images alone.
TEST_CASE("Domains measured in one sweep are those measured alone, bit for bit", "[adapt]") {
  const Mode mode =
      GENERATE(Mode{}, Mode{.semantics = Semantics::source}, Mode{.policy = Policy::blend, .prior_images = 4.0},
               Mode{.policy = Policy::hybrid_decay}, Mode{.semantics = Semantics::batch, .batch = 2, .shuffle = 9},
               Mode{.semantics = Semantics::batch, .estimator = Estimator::batch_mean, .batch = 3},
               Mode{.semantics = Semantics::batch, .estimator = Estimator::ema, .batch = 2, .shuffle = 3},
               Mode{.semantics = Semantics::batch, .estimator = Estimator::dua, .batch = 1},
               Mode{.policy = Policy::batch, .batch = 4}, Mode{.policy = Policy::instance},
               Mode{.policy = Policy::disabled}, Mode{.policy = Policy::source});
  const int threads = GENERATE(1, 2, 4);
  Engine engine(two_levels(), {.threads = threads});
  std::vector<Domain> domains;
  for (const auto& images : kDomains) domains.push_back({images, mode});
  const Images all{kCount, picture};
  const DomainResults together = engine.run_domains(domains, all, true, {});
  REQUIRE(together.domains.size() == 3);
  REQUIRE(together.outputs->values.size() == kCount * 4);
  for (std::size_t d = 0; d < kDomains.size(); ++d) {
    const Images own = only(kDomains[d]);
    const ModeResult alone = engine.run(mode, own, kSameImages, {});
    check_equal(together.domains[d].statistics, alone.statistics);
    check_equal(together.domains[d].measured, alone.measured);
    CHECK(together.domains[d].adapted_images == (exportable(mode.policy) ? alone.adapted_images : 0));
    for (std::size_t i = 0; i < kDomains[d].size(); ++i)
      CHECK(std::equal(alone.outputs->values.begin() + static_cast<std::ptrdiff_t>(4 * i),
                       alone.outputs->values.begin() + static_cast<std::ptrdiff_t>(4 * i + 4),
                       together.outputs->values.begin() + static_cast<std::ptrdiff_t>(4 * kDomains[d][i])));
  }
  // What is measured apart differs.
  if (!together.domains[0].measured.empty())
    CHECK(together.domains[0].measured[1].mean != together.domains[2].measured[1].mean);
}

// Oracle: the run of that policy on the domain's images alone.
TEST_CASE("A domain may be treated by another policy than the rest", "[adapt]") {
  Engine engine(two_levels(), {.threads = 2});
  const Mode blend{.policy = Policy::blend, .prior_images = 16.0};
  const std::vector<Domain> domains{{kDomains[0], {}}, {kDomains[1], blend}, {kDomains[2], {}}};
  const DomainResults results = engine.run_domains(domains, {kCount, picture}, true, {});
  const Images own = only(kDomains[1]);
  const ModeResult alone = engine.run(blend, own, kSameImages, {});
  check_equal(results.domains[1].statistics, alone.statistics);
  for (std::size_t i = 0; i < kDomains[1].size(); ++i)
    CHECK(results.outputs->values[4 * kDomains[1][i]] == alone.outputs->values[4 * i]);
}

// Oracle: engine.hpp, what the modes of a run's domains may differ in.
TEST_CASE("Domains that are not measured alike are refused", "[adapt]") {
  Engine engine(two_levels(), {});
  const auto run = [&](const Mode& other) {
    const std::vector<Domain> domains{{{0, 1}, {}}, {{2}, other}};
    return engine.run_domains(domains, {3, picture}, true, {});
  };
  CHECK_THROWS_WITH(run({.semantics = Semantics::source}),
                    "domains are measured as 'policy=adabn semantics=source estimator=population' and as "
                    "'policy=adabn semantics=layerwise estimator=population'; expected one way for all");
  CHECK_THROWS_AS(run({.layers = {.first = 1}}), Error);
  CHECK_THROWS_AS(run({.policy = Policy::batch}), Error);
  CHECK_NOTHROW(run({.policy = Policy::mean_only}));
}

// Law: domains partition the images: none is left over, shared or empty.
TEST_CASE("Domains are all images once", "[adapt]") {
  Engine engine(two_levels(), {});
  const auto run = [&](std::vector<std::vector<std::size_t>> groups) {
    std::vector<Domain> domains;
    for (auto& images : groups) domains.push_back({std::move(images), {}});
    return engine.run_domains(domains, {3, picture}, false, {});
  };
  CHECK_THROWS_WITH(run({{0, 1}}), Contains("2 of 3 images have a domain"));
  CHECK_THROWS_WITH(run({{0, 1, 2}, {1}}), Contains("image 1 is in no data set or in two domains"));
  CHECK_THROWS_WITH(run({{0, 1, 2}, {}}), Contains("a domain has no images"));
  CHECK_FALSE(run({{0, 1}, {2}}).outputs);
}

// Oracle: the run on each domain's images alone, the flawed one among them.
TEST_CASE("An image that is not finite costs its own domain one image", "[adapt]") {
  const Mode mode = GENERATE(Mode{}, Mode{.semantics = Semantics::batch, .batch = 2, .shuffle = 9},
                             Mode{.policy = Policy::batch, .batch = 2});
  const auto flawed = [](std::size_t i, std::span<float> dst) {
    picture(i, dst);
    if (i == 5) dst[7] = std::numeric_limits<float>::quiet_NaN();
  };
  Engine engine(two_levels(), {.threads = 2});
  std::vector<Domain> domains;
  for (const auto& images : kDomains) domains.push_back({images, mode});
  const DomainResults together = engine.run_domains(domains, {kCount, flawed}, true, {});
  REQUIRE(together.domains[2].left_out.size() == 1);
  CHECK(together.domains[2].left_out[0].image == 5);
  CHECK(together.domains[0].left_out.empty());
  for (std::size_t d = 0; d < kDomains.size(); ++d) {
    const std::vector<std::size_t>& chosen = kDomains[d];
    const Images own{chosen.size(), [&](std::size_t i, std::span<float> dst) { flawed(chosen[i], dst); }};
    const ModeResult alone = engine.run(mode, own, kSameImages, {});
    check_equal(together.domains[d].statistics, alone.statistics);
    CHECK(together.domains[d].adapted_images == (exportable(mode.policy) ? alone.adapted_images : 0));
    for (std::size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i] == 5)
        CHECK(std::isnan(together.outputs->values[4 * chosen[i]]) == std::isnan(alone.outputs->values[4 * i]));
      else
        CHECK(together.outputs->values[4 * chosen[i]] == alone.outputs->values[4 * i]);
  }
}
