#pragma once

#include <catch2/catch.hpp>
#include <vector>

#include "exec/random_network.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "support/near.hpp"

namespace shiftnorm::test {

/// The compiled network on a random image against the plain loops, which accumulate in double and are checked against
/// ONNX's numbers (node_cases_test). 1e-5 of the largest value: float32 sums of at most a few thousand products.
inline void check_against_reference(Graph& g, std::vector<ValueId> outputs) {
  finish(g, std::move(outputs));
  const std::vector<float> image = random_floats(static_cast<std::size_t>(g.value(g.input()).shape->elements()), 99);
  const auto expected = exec::run_reference(g, image), found = run_compiled(g, image);
  REQUIRE(found.size() == expected.size());
  for (std::size_t k = 0; k < found.size(); ++k)
    CHECK_THAT(as_doubles(found[k]), near_largest(expected[k], 1e-5, 1e-3));
}

}  // namespace shiftnorm::test
