#include "shiftnorm/core/error.hpp"

#include <catch2/catch.hpp>
#include <new>
#include <string>

#include "shiftnorm/core/progress.hpp"

using namespace shiftnorm;

namespace {

/// What `thrown` becomes on its way through two outer layers; the type must be exactly T at the end.
template <class T>
std::string through_two_layers(const T& thrown) {
  try {
    try {
      try {
        throw thrown;
      } catch (...) {
        rethrow_at("node 'bn1'");
      }
    } catch (...) {
      rethrow_at("net.pth");
    }
  } catch (const Error& e) {
    CHECK(typeid(e) == typeid(T));
    return e.what();
  }
}

}  // namespace

// Law: each layer adds one "where" and keeps the type.
TEST_CASE("rethrow_at adds where it happened and keeps the type") {
  const std::string expected = "net.pth: node 'bn1': found; expected";
  CHECK(through_two_layers(ConfigError("found; expected")) == expected);
  CHECK(through_two_layers(FormatError("found; expected")) == expected);
  CHECK(through_two_layers(UnsupportedError("found; expected")) == expected);
  CHECK(through_two_layers(ShapeError("found; expected")) == expected);
  CHECK(through_two_layers(MachineError("found; expected")) == expected);
  CHECK(through_two_layers(Error("found; expected")) == expected);
}

// Law: an interruption is no error of any layer.
TEST_CASE("rethrow_at leaves an interruption as it is") { CHECK(through_two_layers(Interrupted()) == "interrupted"); }

// Law: what is not ours is not dressed up as ours.
TEST_CASE("rethrow_at passes foreign exceptions through unchanged") {
  const auto outer = [](auto thrown) {
    try {
      throw thrown;
    } catch (...) {
      rethrow_at("somewhere");
    }
  };
  CHECK_THROWS_AS(outer(std::bad_alloc()), std::bad_alloc);
  CHECK_THROWS_WITH(outer(std::logic_error("ours")), "ours");
}

// Law: what is reported is what was given, and a set flag ends the work.
TEST_CASE("Progress is silent without callbacks and stops when asked") {
  std::atomic<bool> cancelled{false};
  int told = 0;
  Progress{}.tell("load", 1, 2);
  CHECK_NOTHROW(Progress{}.check());
  const Progress progress{[&](std::string_view stage, std::int64_t done, std::int64_t total) {
                            CHECK(stage == "load");
                            CHECK(done == 1);
                            CHECK(total == 2);
                            ++told;
                          },
                          &cancelled};
  progress.tell("load", 1, 2);
  CHECK(told == 1);
  CHECK_NOTHROW(progress.check());
  cancelled = true;
  CHECK_THROWS_AS(progress.check(), Interrupted);
}
