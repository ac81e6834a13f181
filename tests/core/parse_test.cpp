#include "shiftnorm/core/parse.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

using namespace shiftnorm;

// Oracle: worked by hand.
TEST_CASE("A number is read where it is all of the text") {
  std::int64_t whole = 0;
  CHECK(parse_whole("-42", whole));
  CHECK(whole == -42);
  double real = 0;
  CHECK(parse_whole("2.5e-3", real));
  CHECK(real == 0.0025);
  std::uint16_t port = 0;
  CHECK(parse_whole("65535", port));
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x10", "65536", "-1", "1.0"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_whole(text, port));
  }
}

// Oracle: worked by hand; Python's str.split(separator) has the same parts.
TEST_CASE("Texts are split at every separator") {
  using Parts = std::vector<std::string>;
  CHECK(split("a,b", ',') == Parts{"a", "b"});
  CHECK(split("a,,b,", ',') == Parts{"a", "", "b", ""});
  CHECK(split("", ',') == Parts{""});
  CHECK(split("fc.0.weight", '.') == Parts{"fc", "0", "weight"});
}
