#include "shiftnorm/core/text.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace shiftnorm;

// Oracle: edit distances counted by hand.
TEST_CASE("nearest suggests what was probably meant") {
  const std::vector<std::string> keys{"source_weight", "prior_images", "batch", "seed"};
  CHECK(nearest("sorce_weight", keys) == "source_weight");
  CHECK(nearest("prior_image", keys) == "prior_images");
  CHECK(nearest("bacth", keys) == "batch");  // two substitutions: just within the least distance of 2
  CHECK(nearest("momentum", keys).empty());
  CHECK(nearest("", keys).empty());
  CHECK(nearest("batch", {}).empty());
}

// Oracle: Levenshtein distances by hand.
TEST_CASE("nearest prefers the smaller distance, the first on ties") {
  CHECK(nearest("adabm", std::vector<std::string>{"adapt", "adabn"}) == "adabn");
  CHECK(nearest("resnet2", std::vector<std::string>{"resnet20", "resnet26"}) == "resnet20");
}

// Law: the distance is at least the difference of lengths, which takes no table to see.
TEST_CASE("nearest is not led astray by a word of untrusted length") {
  CHECK(nearest(std::string(1 << 20, 'x'), std::vector<std::string>{"batch"}).empty());
}

// Oracle: worked by hand.
TEST_CASE("join shortens long lists") {
  const std::vector<std::string> items{"a", "b", "c"};
  CHECK(join(items) == "a, b, c");
  CHECK(join(items, 2) == "a, b and 1 more");
  CHECK(join(std::vector<std::string>{}).empty());
}

// Oracle: the Unicode Standard's table 3-7 of well-formed UTF-8 byte sequences.
TEST_CASE("printable replaces what a terminal must not see") {
  CHECK(printable("layer1.0.bn1") == "layer1.0.bn1");
  CHECK(printable("a\x1b[31mb\n\x7f") == "a?[31mb??");
  CHECK(printable("\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(printable("\xff\xc3") == "??");
  CHECK(printable("\xc2\x9b") == "?");        // U+009B introduces control sequences just as ESC [ does
  CHECK(printable("\xe0\x80\x80") == "???");  // overlong NUL
  CHECK(printable("\xed\xa0\x80") == "???");  // a surrogate
  CHECK(printable("\xf0\x80\x80\x80") == "????");
  CHECK(printable("\xf4\x90\x80\x80") == "????");  // beyond U+10FFFF
  CHECK(printable(std::string_view("\0", 1)) == "?");
}

// Law: no UTF-8 character is cut in two.
TEST_CASE("printable cuts long text between characters") {
  CHECK(printable(std::string(200, 'x'), 10) == std::string(10, 'x') + "...");
  CHECK(printable("aaa\xc3\xa9", 4) == "aaa...");
  CHECK(printable("aaaa", 4) == "aaaa");
}

// Oracle: ASCII. The rest of a UTF-8 text, and the neighbours of A to Z, are no letters here.
TEST_CASE("lower_case changes A to Z alone") {
  CHECK(lower_case("ABCXYZabcxyz019.-_") == "abcxyzabcxyz019.-_");
  CHECK(lower_case("@[`{") == "@[`{");
  CHECK(lower_case("\xc3\x84 \xc4") == "\xc3\x84 \xc4");  // U+00C4 in UTF-8, and in Latin-1
  CHECK(lower_case("").empty());
}
