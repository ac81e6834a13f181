// Law: the source of a network whose runtime normalises some layers by batches is policy `batch` on those layers alone;
// every other mode is that of the network without the mark.
#include <catch2/catch.hpp>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/graph/marks.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;

namespace {

constexpr std::size_t kCount = 10;

/// `fixed`: as graph::kByBatch says, of the second layer alone; -1: not marked.
graph::Graph two_levels(std::int64_t fixed) {
  graph::Graph g;
  const ValueId a = g.add("Relu", "r1", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 3, 6, 6}), 3, 5), 5)});
  const ValueId x = conv(g, "c2", a, 5, 4);
  std::vector<ValueId> inputs{x};
  for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
    inputs.push_back(g.add_parameter(std::string("bn2.") + part, Shape{4}));
    g.value(inputs.back()).tensor = Tensor(Shape{4}, std::vector<float>{0.5f, 1.0f, 1.5f, 2.0f});
  }
  std::map<std::string, graph::Attribute> mark;
  if (fixed >= 0) mark.emplace(std::string(graph::kByBatch), fixed);
  const ValueId b = g.add("Relu", "r2", {g.add("BatchNormalization", "bn2", std::move(inputs), mark)});
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "pool", {b})}));
  return g;
}

Images pictures() {
  return {kCount, [](std::size_t i, std::span<float> dst) {
            const std::vector<float> noise = random_floats(dst.size(), static_cast<unsigned>(7 + i));
            for (std::size_t p = 0; p < dst.size(); ++p) dst[p] = noise[p] * (1.0f + 0.2f * static_cast<float>(i));
          }};
}

std::vector<float> outputs(Engine& engine, const Mode& mode) {
  const Images images = pictures();
  return engine.run(mode, images, kSameImages, {}).outputs.value().values;
}

Mode by_batch(std::int64_t batch) { return {.policy = Policy::batch, .batch = batch, .layers = {.include = {"bn2"}}}; }

}  // namespace

// Oracle: policy `batch` on a network without the mark (the law above).
TEST_CASE("the source of a layer in training mode is each batch's own statistics", "[adapt]") {
  Engine marked(two_levels(0), {.threads = 2}), fixed(two_levels(3), {.threads = 2}),
      plain(two_levels(-1), {.threads = 2});
  CHECK(outputs(marked, {.policy = Policy::source, .batch = 4}) == outputs(plain, by_batch(4)));
  CHECK(outputs(marked, {.policy = Policy::source}) == outputs(plain, by_batch(64)));
  CHECK(outputs(marked, {.policy = Policy::source}) != outputs(plain, {.policy = Policy::source}));
  // A batch that the file fixes is what its runtime takes, whatever is asked for.
  CHECK(outputs(fixed, {.policy = Policy::source, .batch = 4}) == outputs(plain, by_batch(3)));
  CHECK(marked.fixed({}));
  CHECK_FALSE(marked.fixed({.policy = Policy::source}));
  CHECK(plain.fixed({.policy = Policy::source}));

  const Images images = pictures();
  const ModeResult source = marked.run({.policy = Policy::source}, images, kSameImages, {});
  CHECK(source.statistics[1].mean == marked.source()[1].mean);  // which the file set to inference mode would use
  for (const Mode& mode : {Mode{}, Mode{.semantics = Semantics::source}, Mode{.policy = Policy::disabled}, by_batch(5)})
    CHECK(outputs(marked, mode) == outputs(plain, mode));
  CHECK(marked.cost({.policy = Policy::source}, 10, true).carried_bytes > 0);
}

// Oracle: policy `batch` of the same domains on a network without the mark.
TEST_CASE("domains of such a source do not share batches", "[adapt]") {
  Engine marked(two_levels(0), {.threads = 2}), plain(two_levels(-1), {.threads = 2});
  const Images images = pictures();
  const auto run = [&](Engine& engine, const Mode& mode) {
    const std::vector<Domain> domains{{{0, 2, 4, 6, 8}, mode}, {{1, 3, 5, 7, 9}, mode}};
    return engine.run_domains(domains, images, true, {}).outputs.value().values;
  };
  CHECK(run(marked, {.policy = Policy::source, .batch = 3}) == run(plain, by_batch(3)));
}
