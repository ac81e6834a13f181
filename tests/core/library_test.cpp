#include "shiftnorm/core/library.hpp"

#include <catch2/catch.hpp>

using namespace shiftnorm;

// Law: a round trip; what is not a pair of name and version is left out.
TEST_CASE("Libraries are read as they are written", "[core]") {
  const std::vector<Library> all{{"oneDNN", "2.6.3"}, {"libjpeg-turbo", "2.1.5"}, {"a name", "1"}};
  CHECK(libraries_text(all) == "oneDNN 2.6.3, libjpeg-turbo 2.1.5, a name 1");
  CHECK(parse_libraries(libraries_text(all)) == all);
  CHECK(parse_libraries("").empty());
  CHECK(parse_libraries("nothing, , x 1").size() == 1);
}
