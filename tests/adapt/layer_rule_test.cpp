#include "layer_rule.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using Catch::Matchers::Contains;

namespace {

std::vector<graph::BatchNorm> layers() {
  std::vector<graph::BatchNorm> out;
  for (const auto& [name, level] :
       {std::pair{"bn1", 1}, {"layer1.0.bn1", 2}, {"layer1.0.bn2", 3}, {"layer2.0.bn1", 4}}) {
    graph::BatchNorm layer;
    layer.name = name;
    layer.level = level;
    out.push_back(layer);
  }
  return out;
}

}  // namespace

// Oracle: the four layers by hand.
TEST_CASE("Layer rules choose by name, place and level", "[adapt]") {
  using Chosen = std::vector<bool>;
  CHECK(chosen({}, layers()) == Chosen{true, true, true, true});
  CHECK(chosen({.include = {"layer1.*"}}, layers()) == Chosen{false, true, true, false});
  CHECK(chosen({.include = {"*bn?"}, .exclude = {"*.bn1"}}, layers()) == Chosen{true, false, true, false});
  CHECK(chosen({.first = 2}, layers()) == Chosen{true, true, false, false});
  CHECK(chosen({.last = 1}, layers()) == Chosen{false, false, false, true});
  CHECK(chosen({.min_level = 2, .max_level = 3}, layers()) == Chosen{false, true, true, false});
  CHECK(chosen({.include = {"*"}, .first = 3, .min_level = 3}, layers()) == Chosen{false, false, true, false});
}

// Law: a rule that says nothing is a mistake.
TEST_CASE("A pattern that matches nothing is an error that shows names", "[adapt]") {
  CHECK_THROWS_AS(chosen({.exclude = {"layer9*"}}, layers()), ConfigError);
  CHECK_THROWS_WITH(chosen({.include = {"layer9*"}}, layers()),
                    Contains("layers.include 'layer9*' matches no BatchNorm") && Contains("layer1.0.bn1"));
}
