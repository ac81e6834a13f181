#include <catch2/catch.hpp>
#include <cmath>

#include "results/sample_run.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/results/tables.hpp"

using namespace shiftnorm;

namespace {

/// Two images, three classes, one mode.
results::RunResults tiny(std::string first, std::string second) {
  results::RunResults run;
  run.ids = {std::move(first), std::move(second)};
  run.labels = {2, -1};
  results::ModeReport mode;
  mode.mode.name = "adabn";
  mode.probabilities = {0.25, 0.125, 0.625, 1.0 / 3, 1.0 / 3, 1.0 / 3};
  run.modes.push_back(mode);
  return run;
}

}  // namespace

// Oracle: written by hand from the documented columns.
TEST_CASE("predictions.csv lists every image of every mode", "[report]") {
  CHECK(results::predictions_csv(tiny("a/1.png", "b/2.png")) ==
        "id,label,mode,predicted,p_0,p_1,p_2\n"
        "a/1.png,2,adabn,2,0.25,0.125,0.625\n"
        "b/2.png,,adabn,0,0.333333333,0.333333333,0.333333333\n");
}

// Oracle: RFC 4180, section 2, rules 5 to 7.
TEST_CASE("predictions.csv quotes commas, quotes and line breaks", "[report]") {
  const std::string csv = results::predictions_csv(tiny("a,\"b\".png", "two\nlines"));
  CHECK_THAT(csv, Catch::Contains("\n\"a,\"\"b\"\".png\",2,adabn,"));
  CHECK_THAT(csv, Catch::Contains("\n\"two\nlines\",,adabn,"));
}

// Oracle: OWASP "CSV Injection": a field that starts like a formula gets an apostrophe and quotes.
TEST_CASE("predictions.csv defuses ids that look like formulas", "[report]") {
  const std::string start = GENERATE("=", "+", "-", "@", "\t", "\r");
  const std::string csv = results::predictions_csv(tiny(start + "cmd|' /C calc'!A0", "plain-1.png"));
  CHECK_THAT(csv, Catch::Contains("\n\"'" + start + "cmd|' /C calc'!A0\",2,"));
  CHECK_THAT(csv, Catch::Contains("\nplain-1.png,,"));
}

// Oracle: written by hand from the documented columns.
TEST_CASE("predictions.csv without labels, with a NaN, and with nothing", "[report]") {
  results::RunResults run = tiny("a", "b");
  run.labels.clear();
  run.modes[0].probabilities[1] = std::nan("");
  CHECK_THAT(results::predictions_csv(run), Catch::Contains("\na,,adabn,,0.25,,0.625\n"));
  CHECK(results::predictions_csv({}) == "id,label,mode,predicted\n");
}

// Oracle: the sizes made wrong.
TEST_CASE("predictions.csv refuses what does not fit", "[report]") {
  results::RunResults run = tiny("a", "b");
  run.modes[0].probabilities.pop_back();
  CHECK_THROWS_AS(results::predictions_csv(run), ShapeError);
  CHECK_THROWS_WITH(results::predictions_csv(run),
                    Catch::Contains("predictions of mode 'adabn': 5 probabilities for 2 images"));
  run = tiny("a", "b");
  run.labels.pop_back();
  CHECK_THROWS_WITH(results::predictions_csv(run), "predictions: 1 labels; expected 2, one for each image");
}
