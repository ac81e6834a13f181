#include "shiftnorm/container/byte_reader.hpp"

#include <catch2/catch.hpp>

#include "container/bytes.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::ByteReader;

// Oracle: little-endian numbers worked by hand.
TEST_CASE("ByteReader reads little-endian numbers, lines and text") {
  const auto bytes = test::from_hex(
      "01"
      "0203"
      "04050607"
      "08090a0b0c0d0e0f"
      "68690a"
      "7a");
  ByteReader reader(bytes);
  CHECK(reader.u8() == 1);
  CHECK(reader.u16() == 0x0302);
  CHECK(reader.u32() == 0x07060504);
  CHECK(reader.u64() == 0x0f0e0d0c0b0a0908);
  CHECK(reader.take_line() == "hi");
  CHECK(reader.take_text(1) == "z");
  CHECK(reader.left() == 0);
}

// Law: no read passes the end, and one that fails leaves the place where it was.
TEST_CASE("ByteReader never leaves its bytes") {
  const auto bytes = test::from_hex("010203");
  ByteReader reader(bytes, 1);
  CHECK_THROWS_WITH(reader.u32(), "at byte 1: 2 bytes are left; expected 4: the file is truncated");
  CHECK(reader.position() == 1);
  CHECK_THROWS_WITH(reader.skip(UINT64_MAX), Contains("expected 18446744073709551615"));
  CHECK_THROWS_WITH(reader.take_line(), Contains("the line has no end"));
  CHECK_THROWS_AS(ByteReader(bytes, 4), FormatError);
  CHECK(reader.u16() == 0x0302);
}
