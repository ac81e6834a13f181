#include "elements.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using namespace shiftnorm::pacs;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

}  // namespace

// Oracle: PS3.5 A.1 by hand: group and element in two bytes each, length in four, all least significant byte first.
TEST_CASE("a data set is written in implicit little endian") {
  const Elements elements{
      {0x00000100, number(0x0020)}, {0x0020000D, padded_uid("1.2")}, {0x00080052, padded_text("STUDY")}};
  std::string expected = bytes({0, 0, 0, 1, 2, 0, 0, 0, 0x20, 0});
  expected += bytes({8, 0, 0x52, 0, 6, 0, 0, 0}) + "STUDY ";
  expected += bytes({0x20, 0, 0x0D, 0, 4, 0, 0, 0}) + std::string("1.2\0", 4);
  CHECK(encode(elements) == expected);
  CHECK(decode(as_bytes(expected)) == elements);
  CHECK(text_of(elements, 0x0020000D) == "1.2");
  CHECK(text_of(elements, 0x00080052) == "STUDY");
  CHECK(number_of(elements, 0x00000100) == 0x20);
  CHECK_FALSE(number_of(elements, 0x0020000D));
  CHECK(text_of(elements, 0x00100010).empty());
}

// Oracle: the element put behind the sequence.
TEST_CASE("sequences are stepped over, however deep they nest") {
  const std::string open =
      bytes({8, 0, 0x40, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF});
  const std::string close = bytes({0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0});
  const std::string leaf = encode({{0x00100020, padded_text("INNER")}});
  const std::string after = encode({{0x00100020, padded_text("OUTER")}});
  const int depth = GENERATE(1, 50000);
  std::string nested;
  for (int i = 0; i < depth; ++i) nested += open;
  nested += leaf;
  for (int i = 0; i < depth; ++i) nested += close;
  const Elements elements = decode(as_bytes(nested + after));
  CHECK(elements.size() == 1);
  CHECK(text_of(elements, 0x00100020) == "OUTER");
}

// Law: a length is compared with what is left.
TEST_CASE("data sets that lie about their lengths are refused") {
  const std::string good = encode({{0x00100020, padded_text("ABCD")}});
  for (std::size_t size = 1; size < good.size(); ++size)
    CHECK_THROWS_AS(decode(as_bytes(good.substr(0, size))), FormatError);
  CHECK_THROWS_AS(decode(as_bytes(bytes({16, 0, 32, 0, 0xFE, 0xFF, 0xFF, 0xFF}))), FormatError);
  CHECK_THROWS_AS(decode(as_bytes(bytes({16, 0, 32, 0, 0xFF, 0xFF, 0xFF, 0xFF}))), FormatError);
  CHECK_THROWS_AS(decode(as_bytes(bytes({0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0}))), FormatError);
  CHECK_THROWS_AS(decode(as_bytes(bytes({0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF}))), FormatError);
}

// Oracle: PS3.5 9.1: digits and dots, at most 64.
TEST_CASE("a UID is digits and dots") {
  CHECK(is_uid("1.2.840.10008.1.2"));
  CHECK_FALSE(is_uid(""));
  CHECK_FALSE(is_uid("../../etc/passwd"));
  CHECK_FALSE(is_uid("1.2\\1.3"));
  CHECK_FALSE(is_uid(std::string(65, '1')));
}
