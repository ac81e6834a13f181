#include <catch2/catch.hpp>

#include "exec/random_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using namespace shiftnorm::test;

namespace {

/// A chain of two levels whose measured values have 16 channels of 6 x 6: no channel is padding, whatever the block.
graph::Graph chain() {
  graph::Graph g;
  const ValueId a =
      g.add("Relu", "r1", {norm(g, "bn1", conv(g, "c1", g.add_input("x", Shape{1, 3, 6, 6}), 3, 16), 16)});
  const ValueId b = g.add("Relu", "r2", {norm(g, "bn2", conv(g, "c2", a, 16, 16), 16)});
  finish(g, g.add("Flatten", "flat", {g.add("GlobalAveragePool", "pool", {b})}));
  return g;
}

}  // namespace

// Worked by hand: c1's output is written behind level 1 and read before level 2, c2's likewise before the outputs, so
// that each image moves four times 16 * 36 floats. The second takes the place of the first.
TEST_CASE("what measuring takes is known beforehand", "[adapt]") {
  constexpr std::uint64_t kValue = std::uint64_t{16} * 36 * sizeof(float);
  const Engine engine(chain(), {.threads = 2});
  const Cost whole = engine.cost({}, 100, true);
  CHECK(whole.moved_bytes == 100 * (4 * kValue));
  CHECK(whole.carried_bytes == 100 * kValue);
  CHECK_FALSE(whole.spills);
  // Without outputs c2's is measured and forgotten.
  CHECK(engine.cost({}, 100, false).moved_bytes == 100 * (2 * kValue));
  // Batches of 10 on two threads: two at a time.
  const Cost batches = engine.cost({.semantics = Semantics::batch, .batch = 10}, 100, false);
  CHECK(batches.carried_bytes == 20 * kValue);
  CHECK(batches.moved_bytes == 100 * (2 * kValue));
  CHECK(engine.cost({.semantics = Semantics::source}, 100, false).moved_bytes == 0);
  CHECK(engine.cost({.policy = Policy::source}, 100, true).carried_bytes == 0);
  CHECK(engine.cost({.policy = Policy::batch, .batch = 10}, 100, true).moved_bytes == 100 * (4 * kValue));

  // One byte too few for 100 images: c2's cannot be computed again, for it depends on what was measured.
  const Engine small(chain(), {.threads = 2, .memory = 100 * kValue - 1});
  CHECK(small.cost({}, 100, true).spills);
  CHECK(small.cost({}, 100, true).moved_bytes <= whole.moved_bytes);
  CHECK_FALSE(small.cost({}, 99, true).spills);
}
