#include "shiftnorm/toolkit/groups.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/cohort.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
using Catch::Matchers::Contains;
using GroupNumbers = std::vector<std::uint32_t>;
using Texts = std::vector<std::string>;

// Oracle: worked by hand.
TEST_CASE("images are grouped by what they have in common", "[experiment]") {
  const Groups patients = grouped(Texts{"p", "q", "p", "", ""}, false);
  CHECK(patients.of == GroupNumbers{0, 1, 0, 2, 2});
  CHECK(patients.count == 3);
  CHECK(grouped(Texts{"x", "", "x", ""}, true).of == GroupNumbers{0, 1, 0, 2});
  CHECK(single(3).of == GroupNumbers{0, 1, 2});
  CHECK(among(patients, std::vector<std::size_t>{4, 1, 3}).of == GroupNumbers{0, 1, 0});
  CHECK_FALSE(among(Groups{}, std::vector<std::size_t>{4}).known());

  // 0 and 2 by patient, 2 and 3 by pixels: one group; 1 alone; 4 joins 3 by patient.
  const Groups pixels = grouped(Texts{"a", "b", "c", "c", "e"}, true);
  const Groups both = united(patients, pixels);
  CHECK(both.of == GroupNumbers{0, 1, 0, 0, 0});
  CHECK(both.count == 2);
  CHECK(united(Groups{}, pixels).of == pixels.of);
  CHECK(united(pixels, Groups{}).of == pixels.of);
}

// Oracle: worked by hand.
TEST_CASE("what lies on both sides of a split is counted", "[experiment]") {
  const Groups patients = grouped(Texts{"p", "q", "p", "r", "q"}, false);
  const auto both = [&](std::vector<std::size_t> a, std::vector<std::size_t> b) { return shared(patients, a, b); };
  CHECK(both({0, 2}, {1, 3, 4}) == 0);
  CHECK(both({0, 1}, {2, 3, 4}) == 2);
  CHECK(both({0}, {2}) == 1);
  CHECK(shared({}, std::vector<std::size_t>{0}, std::vector<std::size_t>{1}) == 0);
}

// Oracle: the limit of docs/reference/dicom.md#privacy, 11.
TEST_CASE("fewer than eleven patients are too few, where patients are known", "[experiment]") {
  CHECK_NOTHROW(check_cohort(std::nullopt, false));
  CHECK_NOTHROW(check_cohort(11, false));
  CHECK_NOTHROW(check_cohort(1, true));
  CHECK_THROWS_WITH(check_cohort(10, false), Contains("10 patients; expected at least 11"));
  CHECK_THROWS_WITH(check_cohort(1, false, "b"), Contains("domain 'b': 1 patient; expected at least 11"));
  CHECK_THROWS_AS(check_cohort(1, false), ConfigError);
  CHECK(notes_on_cohort(30).empty());
  CHECK(notes_on_cohort(std::nullopt).empty());
  CHECK_THAT(notes_on_cohort(29).at(0), Contains("only 29 patients: the output may reveal individuals"));
  CHECK(cohort_text(std::nullopt) == "not applicable: patients are not identified");
  CHECK(cohort_text(10) == "small, allowed by the user");
  CHECK(cohort_text(11) == "sufficient");
}
