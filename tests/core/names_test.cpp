#include "shiftnorm/core/names.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;

namespace {

enum class Side { left, right, neither };
constexpr auto kSides = names<Named<Side>>("side", {{"left", Side::left}, {"right", Side::right}});
static_assert(kSides.name_of(Side::right) == "right" && kSides.find("up") == nullptr);

enum class Day { monday, tuesday, wednesday, thursday, friday, saturday, sunday };
struct DayFacts {
  std::string_view name;
  Day value;
  bool working;
};
constexpr auto kDays = names<DayFacts>("day", {{"monday", Day::monday, true},
                                               {"tuesday", Day::tuesday, true},
                                               {"wednesday", Day::wednesday, true},
                                               {"thursday", Day::thursday, true},
                                               {"friday", Day::friday, true},
                                               {"saturday", Day::saturday, false},
                                               {"sunday", Day::sunday, false}});

}  // namespace

// Law: a round trip; further columns are found by the value.
TEST_CASE("names are read and written by one table", "[core]") {
  for (const auto& [name, value] : kSides) {
    CHECK(kSides.parse(name) == value);
    CHECK(kSides.name_of(value) == name);
  }
  CHECK(kSides.list() == std::vector<std::string>{"left", "right"});
  CHECK(kDays[Day::friday].working);
  CHECK_FALSE(kDays[kDays.parse("sunday")].working);
}

// Oracle: the form `found; expected`; in a list that is not seen at a glance the nearest name is pointed out.
TEST_CASE("a name that a table lacks is refused with those it has", "[core]") {
  CHECK_THROWS_WITH(kSides.parse("lefft"), "side 'lefft'; expected left or right");
  CHECK_THROWS_AS(kSides.parse(""), ConfigError);
  CHECK_THROWS_WITH(
      kDays.parse("sundey"),
      "day 'sundey' (nearest is 'sunday'); expected monday, tuesday, wednesday, thursday, friday, saturday "
      "or sunday");
  CHECK_THROWS_WITH(kDays.parse("\x1b[2J"),
                    "day '?[2J'; expected monday, tuesday, wednesday, thursday, friday, saturday or sunday");
  CHECK_THROWS_WITH(kSides.name_of(Side::neither), "a side without a name");
}

// Oracle: written by hand, as English lists are.
TEST_CASE("alternatives are joined as in a sentence", "[core]") {
  CHECK(alternatives({}).empty());
  CHECK(alternatives(std::vector<std::string>{"a"}) == "a");
  CHECK(alternatives(std::vector<std::string>{"a", "b"}) == "a or b");
  CHECK(alternatives(std::vector<std::string>{"a", "b", "c"}) == "a, b or c");
}
