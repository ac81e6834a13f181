#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/exec/reference.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;

namespace {

constexpr std::size_t kCount = 5, kPixels = std::size_t{3} * 4 * 4;

/// Class scores, and the map they come from.
graph::Graph two_outputs() {
  graph::Graph g;
  const ValueId map = g.add("Relu", "map", {norm(g, "bn", conv(g, "c", g.add_input("x", Shape{1, 3, 4, 4}), 3, 2), 2)});
  finish(g, {g.add("Flatten", "scores", {g.add("GlobalAveragePool", "pool", {map})}), map});
  return g;
}

std::vector<float> picture(std::size_t i) { return random_floats(kPixels, static_cast<unsigned>(40 + i)); }

Images pictures(std::size_t broken = kCount) {
  return {kCount, [broken](std::size_t i, std::span<float> dst) {
            const std::vector<float> values = picture(i);
            std::copy(values.begin(), values.end(), dst.begin());
            if (i == broken) dst[3] = std::numeric_limits<float>::infinity();
          }};
}

}  // namespace

// Oracle: the plain loops. 1e-5: one convolution of 27 products in float32.
TEST_CASE("an engine gives all outputs of a network when it is asked to", "[adapt]") {
  const graph::Graph g = two_outputs();
  EngineOptions options;
  options.all_outputs = true;
  Engine engine(g, options);
  const Outputs all = engine.infer(engine.source(), pictures(), {});
  REQUIRE(all.others.size() == 1);
  CHECK(all.width == 2);
  CHECK(all.others[0].width == 2 * 4 * 4);
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::vector<std::vector<float>> expected = exec::run_reference(g, picture(i));
    for (std::size_t k = 0; k < expected[0].size(); ++k)
      CHECK(all.values[i * 2 + k] == Approx(expected[0][k]).margin(1e-5));
    for (std::size_t k = 0; k < expected[1].size(); ++k)
      CHECK(all.others[0].values[i * 32 + k] == Approx(expected[1][k]).margin(1e-5));
  }
  Engine first(g, {});
  CHECK(first.infer(first.source(), pictures(), {}).others.empty());
}

// Law: an image that is left out has a row of NaN in every output, the others theirs.
TEST_CASE("an image that is left out says nothing in any output", "[adapt]") {
  EngineOptions options;
  options.all_outputs = true;
  Engine engine(two_outputs(), options);
  const Images images = pictures(1);
  const Mode mode{.policy = Policy::instance};
  const ModeResult result = engine.run(mode, images, kSameImages, {});
  REQUIRE(result.outputs);
  REQUIRE(result.outputs->others.size() == 1);
  for (std::size_t i = 0; i < kCount; ++i) {
    CHECK(std::isnan(result.outputs->values[i * 2]) == (i == 1));
    CHECK(std::isnan(result.outputs->others[0].values[i * 32 + 31]) == (i == 1));
  }
}
