#include "pull_state.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::pacs;

// Law: a round trip; one pull in a folder at a time.
TEST_CASE("what is complete is known to the next call") {
  const test::TempDir keys, dir;
  const ProjectKey key(keys.path());
  {
    PullState state(dir.path() / "new", key);
    CHECK(state.objects("a/b") == 0);
    state.complete("a/b", 3);
    state.complete("a/c", 4);
    CHECK(state.objects("a/b") == 3);
    CHECK_THROWS_WITH(PullState(dir.path() / "new", key), Catch::Contains("another pull"));
  }
  PullState state(dir.path() / "new", key);
  CHECK(state.objects("a/b") == 3);
  CHECK(state.objects("a/c") == 4);
}

// Law: lines before and after a torn one are read.
TEST_CASE("a line that a crash cut short does not count, and hurts no other") {
  const test::TempDir keys, dir;
  const ProjectKey key(keys.path());
  PullState(dir.path(), key).complete("a/b", 30);
  {
    std::ofstream file(dir.path() / "pull.state", std::ios::app);
    file << "a/c 1";
  }
  {
    PullState state(dir.path(), key);
    CHECK(state.objects("a/c") == 0);
    state.complete("a/d", 5);
  }
  const PullState state(dir.path(), key);
  CHECK(state.objects("a/b") == 30);
  CHECK(state.objects("a/c") == 0);
  CHECK(state.objects("a/d") == 5);
}

// Law: names made with another key mean nothing here.
TEST_CASE("another key's or another program's state is refused") {
  const test::TempDir keys, others, dir;
  PullState(dir.path(), ProjectKey(keys.path())).complete("a/b", 3);
  CHECK_THROWS_WITH(PullState(dir.path(), ProjectKey(others.path())), Catch::Contains("another key"));
  write_file(dir.path() / "pull.state", std::string_view("something else\n"));
  CHECK_THROWS_AS(PullState(dir.path(), ProjectKey(keys.path())), FormatError);
}
