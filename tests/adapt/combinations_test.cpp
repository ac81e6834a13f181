#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <vector>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/adapt/mixture.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;

namespace {

/// Two BatchNorms behind convolutions on 2 x 5 x 5.
graph::Graph tiny() {
  graph::Graph g;
  ValueId x = g.add("Relu", "r", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 2, 5, 5}), 2, 3), 3)});
  x = norm(g, "bn2", conv(g, "c2", x, 3, 4), 4);
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "gap", {x})}));
  return g;
}

const Images kImages{6, [](std::size_t i, std::span<float> dst) {
                       std::ranges::copy(random_floats(dst.size(), 50 + static_cast<unsigned>(i)), dst.begin());
                     }};

/// Two classes that take turns, and a target that holds three times as many of the first.
std::shared_ptr<const Mixture> mixture_for(Engine& engine) {
  const std::vector<double> epsilons(engine.batch_norms().size(), engine.batch_norms().front().epsilon);
  stats::Reference reference = stats::empty_reference(engine.source(), epsilons, {"a", "b"}, false);
  const auto seen = [&](const SeenImage& image) {
    const std::vector<double> q = image.image % 2 == 0 ? std::vector{1.0, 0.0} : std::vector{0.0, 1.0};
    reference.add_image(q, q);
    for (const SeenLayer& layer : image.layers)
      reference.add_moments(layer.layer, q, layer.sum, layer.square, layer.values);
  };
  engine.each_image(engine.source(), kImages, "reference", seen, [] {}, {});
  return std::make_shared<const Mixture>(mixture_of(reference, "hash", {0.75, 0.25}));
}

/// docs/reference/estimators.md, written down a second time and the other way round: what a combination may be.
bool allowed(const Mode& m) {
  const std::vector<Policy> fixed{Policy::source, Policy::disabled, Policy::identity, Policy::normalise_only},
      weighted{Policy::blend, Policy::mixture};
  const auto in = [&](const std::vector<Policy>& some) { return std::ranges::count(some, m.policy) > 0; };
  const bool weight = m.source_weight || m.prior_images, unbatched = m.batch == 64 && !m.shuffle;
  const bool population = m.estimator == Estimator::population && !m.momentum;
  const bool as_given_by_default = population && m.semantics == Semantics::layerwise;
  if (m.source_weight && m.prior_images) return false;
  // The source of a network in training mode goes by batches; which network it is, the mode does not know.
  if (m.policy == Policy::source) return as_given_by_default && !weight && !m.shuffle;
  if (m.policy == Policy::matched) return as_given_by_default && !weight && unbatched;
  if (in(fixed)) return as_given_by_default && !weight && unbatched;
  if (m.policy == Policy::instance) return as_given_by_default && (unbatched || (m.batch == 1 && !m.shuffle));
  if (m.policy == Policy::batch) return as_given_by_default;
  if (weight != in(weighted)) return false;
  if (m.semantics != Semantics::batch) return population && unbatched;
  if (m.momentum) return m.estimator == Estimator::ema || m.estimator == Estimator::ema_reset;
  return m.estimator != Estimator::dua || m.batch == 1;
}

std::vector<Mode> every_combination() {
  Engine engine(tiny(), {});
  const std::shared_ptr<const Mixture> mixture = mixture_for(engine);
  std::vector<Mode> all;
  for (const std::string& policy : kPolicies.list())
    for (const std::string_view semantics : {"layerwise", "batch", "source"})
      for (const std::string_view estimator : {"population", "batch-mean", "ema", "ema-reset", "dua"})
        for (const std::int64_t batch : {1, 2, 64})
          for (const bool shuffle : {false, true})
            for (const bool momentum : {false, true})
              for (const int weight : {0, 1, 2, 3}) {
                Mode m{.name = "m",
                       .policy = parse_policy(policy),
                       .semantics = parse_semantics(semantics),
                       .estimator = parse_estimator(estimator),
                       .batch = batch};
                if (shuffle) m.shuffle = 3;
                if (momentum) m.momentum = 0.3;
                if ((weight & 1) != 0) m.source_weight = 0.25;
                if ((weight & 2) != 0) m.prior_images = 4;
                if (m.policy == Policy::matched) m.mixture = mixture;
                all.push_back(m);
              }
  return all;
}

}  // namespace

// Oracle: allowed(), the rules of docs/reference/estimators.md written a second time; 24 outputs are six images of
// four.
TEST_CASE("Every combination of options runs, or is refused with the reason", "[adapt]") {
  Engine engine(tiny(), {});
  std::size_t ran = 0, refused = 0;
  for (const Mode& mode : every_combination()) {
    const std::vector<std::string> wrong = problems(mode);
    if (wrong.empty() != allowed(mode))
      FAIL(name_of(mode.policy) << ", " << name_of(mode.semantics) << ", " << name_of(mode.estimator) << ", batch "
                                << mode.batch << ", shuffle " << mode.shuffle.has_value() << ", momentum "
                                << mode.momentum.has_value() << ", lambda " << mode.source_weight.has_value()
                                << ", prior " << mode.prior_images.has_value() << ": " << wrong.size() << " problems");
    if (wrong.empty()) {
      const ModeResult result = engine.run(mode, kImages, kSameImages, {});
      ++ran;
      REQUIRE(result.outputs->values.size() == 24);
      REQUIRE(std::ranges::all_of(result.outputs->values, [](float v) { return std::isfinite(v); }));
      REQUIRE(result.statistics.empty() == !exportable(mode.policy));
      REQUIRE(result.measured.empty() == !measures(mode.policy));
    } else {
      ++refused;
      REQUIRE_THROWS_AS(engine.run(mode, kImages, kSameImages, {}), ConfigError);
      for (const std::string& reason : wrong) REQUIRE(reason.find("; expected ") != std::string::npos);
    }
  }
  CHECK(ran > 100);
  CHECK(refused > 1000);
}

// Law: modes that canonical() calls the same do the same, or a cache that is keyed by it would hand out wrong results;
// for every combination. Policy instance with a batch of 1 and with none, for one, have one text.
TEST_CASE("Modes with the same text give the same results", "[adapt]") {
  Engine engine(tiny(), {});
  std::map<std::string, ModeResult> by_text;
  std::size_t shared = 0;
  for (const Mode& mode : every_combination()) {
    if (!problems(mode).empty()) continue;
    ModeResult found = engine.run(mode, kImages, kSameImages, {});
    const auto [known, fresh] = by_text.try_emplace(canonical(mode), std::move(found));
    if (fresh) continue;
    ++shared;
    INFO(known->first);
    CHECK(known->second.outputs->values == found.outputs->values);
  }
  CHECK(shared > 0);
}

// Law: images that are told to be the same are evaluated as any others are, bit for bit; for every combination.
TEST_CASE("Predictions taken from the sweep are those of an evaluation", "[adapt]") {
  Engine engine(tiny(), {.threads = 2});
  const Images others = kImages;
  for (const Mode& mode : every_combination()) {
    if (!problems(mode).empty() || mode.batch == 64) continue;
    const ModeResult same = engine.run(mode, kImages, kSameImages, {}), apart = engine.run(mode, kImages, &others, {}),
                     none = engine.run(mode, kImages, nullptr, {});
    REQUIRE(same.outputs->values == apart.outputs->values);
    REQUIRE_FALSE(none.outputs);
    REQUIRE(same.adapted_images == apart.adapted_images);
    for (std::size_t i = 0; i < same.statistics.size(); ++i) {
      REQUIRE(same.statistics[i].mean == apart.statistics[i].mean);
      REQUIRE(same.statistics[i].mean == none.statistics[i].mean);
      REQUIRE(same.statistics[i].variance == apart.statistics[i].variance);
    }
  }
}

// Law: threads and the order of the images within a group are not part of a result; so for every combination.
TEST_CASE("Every combination gives the same bits for any number of threads", "[adapt]") {
  Engine one(tiny(), {.threads = 1}), two(tiny(), {.threads = 2}), four(tiny(), {.threads = 4});
  for (const Mode& mode : every_combination()) {
    if (!problems(mode).empty() || mode.batch == 64) continue;
    const ModeResult expected = one.run(mode, kImages, kSameImages, {});
    for (Engine* engine : {&two, &four}) {
      const ModeResult found = engine->run(mode, kImages, kSameImages, {});
      REQUIRE(found.outputs->values == expected.outputs->values);
      for (std::size_t i = 0; i < expected.measured.size(); ++i) {
        REQUIRE(found.measured[i].mean == expected.measured[i].mean);
        REQUIRE(found.measured[i].variance == expected.measured[i].variance);
        REQUIRE(found.measured[i].spread == expected.measured[i].spread);
      }
    }
  }
}

// Law: a file of statistics without a natural order: any order of the images, where the method has none.
TEST_CASE("Methods without an order give the same bits for any order of the images", "[adapt]") {
  const Semantics semantics = GENERATE(Semantics::layerwise, Semantics::source);
  Engine engine(tiny(), {.threads = 2});
  const Images reversed{6, [](std::size_t i, std::span<float> dst) { kImages.load(5 - i, dst); }};
  const auto a = engine.measure({.semantics = semantics}, kImages, {}),
             b = engine.measure({.semantics = semantics}, reversed, {});
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].sums == b[i].sums);
    CHECK(a[i].spread == b[i].spread);
  }
}
