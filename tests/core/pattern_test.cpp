#include "shiftnorm/core/pattern.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace shiftnorm;

// Oracle: fnmatch of the shell, by hand.
TEST_CASE("A pattern fits whole texts") {
  CHECK(matches_pattern("projector.*", "projector.0.weight"));
  CHECK_FALSE(matches_pattern("projector.*", "my.projector.0.weight"));
  CHECK(matches_pattern("*.0.?eight", "projector.0.weight"));
  CHECK_FALSE(matches_pattern("a?", "a"));
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("a**b", "ab"));
  CHECK_FALSE(matches_pattern("", "a"));
  std::string stars(1000, '*');
  stars += 'b';
  CHECK_FALSE(matches_pattern(stars, std::string(100000, 'a')));
}
