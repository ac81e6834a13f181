#include "shiftnorm/adapt/parse_layers.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;

// Oracle: docs/reference/command-line.md's form of --layers, by hand.
TEST_CASE("A layer rule is read from its text", "[adapt]") {
  LayerRule rule;
  rule.include = {"layer1.*", "bn?"};
  rule.exclude = {"*.bn2"};
  rule.first = 5;
  rule.last = 4;
  rule.min_level = 2;
  rule.max_level = 9;
  CHECK(parse_layers("layer1.*,!*.bn2,last=4,min_level=2,first=5,bn?,max_level=9") == rule);
  CHECK(parse_layers("!*") == LayerRule{{}, {"*"}, {}, {}, {}, {}});
}

// Oracle: the messages, which the command puts behind `--layers: `.
TEST_CASE("A layer rule that cannot be read is refused", "[adapt]") {
  for (const auto& [text, message] :
       {std::pair{"last=0", "'last=0'; expected last=N with N at least 1"},
        {"a,min_level=x", "'min_level=x'; expected min_level=N with N at least 1"},
        {"", "''; expected a pattern, !pattern, first=N, last=N, min_level=N or max_level=N"},
        {"a,!", "'!'; expected a pattern, !pattern, first=N, last=N, min_level=N or max_level=N"},
        {"level=3", "'level=3'; expected a pattern, !pattern, first=N, last=N, min_level=N or max_level=N"}}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_layers(text), message);
    CHECK_THROWS_AS(parse_layers(text), ConfigError);
  }
}
