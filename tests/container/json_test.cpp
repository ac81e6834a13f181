#include "shiftnorm/container/json.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>

#include "container/bytes.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;
using container::parse_json;
using container::write_json;

// Oracle: RFC 8259 worked by hand; what is written is what was read, blanks and escapes aside.
TEST_CASE("JSON keeps types and the order of keys") {
  const Json json = parse_json(R"( {"z": [1, -2, 2.5, 1e3, true, null], "a": {"text": "\u00e9\n"}} )");
  REQUIRE(json.is_object());
  CHECK(json.as_object()[0].first == "z");
  const Json::ArrayType& items = json.at("z").as_array();
  CHECK(items[0].as_integer() == 1);
  CHECK(items[1].as_integer() == -2);
  CHECK(items[2].as_number() == 2.5);
  CHECK_FALSE(items[3].is_integer());
  CHECK(items[3].as_number() == 1000);
  CHECK(items[4].as_bool());
  CHECK(items[5].is_null());
  CHECK(json.at("a").at("text").as_string() == "\xc3\xa9\n");
  CHECK(json.find("absent") == nullptr);
  CHECK(write_json(json) == "{\"z\":[1,-2,2.5,1000.0,true,null],\"a\":{\"text\":\"\xc3\xa9\\n\"}}");
}

// Oracle: Python's json.dumps(.., indent=2).
TEST_CASE("JSON is written with indentation") {
  Json json;
  json.set("a", Json::array({1, 2})).set("b", Json::object()).set("a", 3).set("c", Json::array({"x"}));
  CHECK(write_json(json, 2) == "{\n  \"a\": 3,\n  \"b\": {},\n  \"c\": [\n    \"x\"\n  ]\n}");
  CHECK(Json().push(1).push("two") == Json::array({1, "two"}));
}

// Oracle: a round trip must give the same bits.
TEST_CASE("JSON numbers keep their bits") {
  const double values[] = {0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 123456789.125, 1.0 / 3.0};
  for (const double value : values) {
    const double read = parse_json(write_json(Json(value))).as_number();
    CHECK(std::bit_cast<std::uint64_t>(read) == std::bit_cast<std::uint64_t>(value));
  }
  CHECK(parse_json("9223372036854775807").as_integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(parse_json("-9223372036854775808").as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_json("18446744073709551615").as_number() == 18446744073709551615.0);
  CHECK(Json(std::uint64_t{1} << 63U).as_number() == 9223372036854775808.0);
  CHECK(write_json(Json(std::numeric_limits<double>::quiet_NaN())) == "null");
  CHECK(write_json(Json(std::numeric_limits<double>::infinity())) == "null");
}

// Oracle: U+FFFD in UTF-8, as the Unicode standard recommends (chapter 3.9).
TEST_CASE("Text that is not UTF-8 is written with replacement characters") {
  CHECK(write_json(Json("a\xff")) == "\"a\xef\xbf\xbd\"");
}

// Oracle: the grammar of RFC 8259; places counted by hand.
TEST_CASE("Bad JSON is refused with its place") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "JSON at byte 1"},
      {"{\"a\": 1", "JSON at byte 8"},
      {"[1,]", "JSON at byte 4: found '1,]'; syntax error"},
      {"[1] x", "JSON at byte 5"},
      {"{\"a\": 1, \"a\": 2}", "JSON before byte 12: key 'a' is given twice"},
      {"\"\xff\"", "invalid string: ill-formed UTF-8 byte"},
      {"1e999", "number overflow"},
      {"NaN", "JSON at byte"},
      {std::string(65, '[') + std::string(65, ']'), "JSON before byte 65: nesting deeper than 64"},
      {std::string(1000000, '['), "nesting deeper than 64"},
  }));
  CAPTURE(text.substr(0, 20));
  CHECK_THROWS_AS(parse_json(text), FormatError);
  CHECK_THROWS_WITH(parse_json(text), Contains(message));
}

// Law: what is just within a limit is read, and one more is refused.
TEST_CASE("JSON nested 64 deep is read, a million values are the limit") {
  CHECK_NOTHROW(parse_json(std::string(64, '[') + std::string(64, ']')));
  std::string many = "[0";
  for (int i = 0; i < (1 << 20); ++i) many += ",0";
  CHECK_THROWS_WITH(parse_json(many + "]"), Contains("more than 1048576 values"));
}

// Law: no value is taken for another type.
TEST_CASE("A wrong JSON type is named") {
  const Json json = parse_json(R"({"a": 1.5})");
  CHECK_THROWS_WITH(json.at("a").as_integer(), "is a number with a fraction or exponent; expected an integer");
  CHECK_THROWS_WITH(json.at("a").as_string(), Contains("expected a string"));
  CHECK_THROWS_WITH(json.at("b"), "the key 'b' is missing");
  CHECK_THROWS_WITH(json.at("a").at("b"), Contains("expected an object with the key 'b'"));
  CHECK_THROWS_AS(json.as_array(), FormatError);
  CHECK_THROWS_AS(Json(1).push(2), FormatError);
}
