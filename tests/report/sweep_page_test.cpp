#include <catch2/catch.hpp>
#include <set>

#include "page_check.hpp"
#include "sample_sweep.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using test::unbalanced, test::values_of;

namespace {

/// Between two texts, so that a number is looked for where it belongs.
std::string part_of(const std::string& page, const std::string& from, const std::string& to) {
  const std::size_t begin = page.find(from);
  REQUIRE(begin != std::string::npos);
  return page.substr(begin, page.find(to, begin) - begin);
}

}  // namespace

// Oracle: by hand, from the table in sample_sweep.hpp.
TEST_CASE("A sweep's verdict counts over its runs, without those that have no shift", "[report]") {
  const std::string page = report::sweep_html(test::sample_sweep());
  const std::string verdict = part_of(page, "class=\"verdict\"", "</section>");
  for (const char* text :
       {"adabn is best on average: accuracy 71.5&nbsp;% over 8 runs, +22.5&nbsp;points to source.",
        "small, 4 runs: adabn 70.5&nbsp;%, source 50.0&nbsp;% (+20.5&nbsp;points); adabn is better in 4 runs, in 3 of "
        "them beyond the interval, and worse in 0 (0). Most gained: noise (+35.0&nbsp;points); least: fog "
        "(+6.0&nbsp;points).",
        "large, 4 runs: adabn 72.5&nbsp;%, source 48.0&nbsp;% (+24.5&nbsp;points)",
        "small, without a shift: source 90.0&nbsp;%, adabn -4.0&nbsp;points, off -80.0&nbsp;points.",
        "source in 1, adabn in 8, cannot tell in 1 of 10 runs.", "the best of 2 in 7 of 9 runs",
        "2.0&nbsp;points on average, 14.0&nbsp;points at most."})
    CHECK_THAT(verdict, Contains(text));
}

// Oracle: by hand from the table in sample_sweep.hpp.
TEST_CASE("A sweep's tables hold means, differences and regret", "[report]") {
  const std::string page = report::sweep_html(test::sample_sweep());
  const std::string rows = part_of(page, "<h2>By shift", "</section>");
  // fog of small: (80 + 60) / 2, (82 + 70) / 2; the row without a shift; the means of the four.
  for (const char* text : {"fog</th><td data-v=\"0.7\">70.0</td><td data-v=\"0.76\"><b>76.0</b><br><span "
                           "class=\"quiet\">+6.0</span>",
                           "none</th><td data-v=\"0.9\"><b>90.0</b></td>",
                           "Mean</th><td data-v=\"0.5\">50.0</td><td data-v=\"0.705\"><b>70.5</b>"})
    CHECK_THAT(rows, Contains(text));
  // Modes that print the same number are both best: large without a shift.
  CHECK_THAT(rows, Contains("none</th><td data-v=\"0.88\"><b>88.0</b></td><td data-v=\"0.88\"><b>88.0</b>"));
  const std::string regret = part_of(page, "<h2>Recommendation", "</section>");
  for (const char* text :
       {"small</th><td data-v=\"4\">4 of 5</td><td data-v=\"3\">3 of 4</td><td data-v=\"0.01\">1.00<br><span "
        "class=\"quiet\">at most 4.0</span></td><td data-v=\"0.164\">16.40<br><span class=\"quiet\">at most 40.0",
        "large</th><td data-v=\"5\">5 of 5</td><td data-v=\"4\">4 of 5</td><td data-v=\"0.028\">2.80",
        "fog 2, large</th><td class=\"left\">source, high</td><td data-v=\"0.14\">14.0</td>"})
    CHECK_THAT(regret, Contains(text));
}

// Oracle: by hand from the table in sample_sweep.hpp.
TEST_CASE("A sweep's heat maps cross names with numbers, and what has no number fills its row", "[report]") {
  const report::SweepReport sweep = test::sample_sweep();
  const std::vector<report::Picture> pictures = report::sweep_pictures(sweep);
  std::set<std::string> names;
  for (const report::Picture& picture : pictures) CHECK(names.insert(picture.name).second);
  // Two networks: three modes, and two differences to source.
  CHECK(names.size() == 10);
  REQUIRE(names.contains("heat-map-difference-large-adabn.svg"));
  for (const report::Picture& picture : pictures) {
    if (picture.name != "heat-map-accuracy-small-adabn.svg") continue;
    for (const char* text : {"<title>fog, 2: 70.0</title>", "<title>noise, 1: 70.0</title>",
                             "<title>none, 1: 86.0</title>", "<title>none, 2: 86.0</title>"})
      CHECK_THAT(picture.svg, Contains(text));
  }
  const std::string page = report::sweep_html(sweep);
  CHECK(values_of(page, "viewBox").size() == pictures.size());
}

// Law: every element that is opened is closed. Oracle: means of two seeds by hand.
TEST_CASE("A sweep's page is well formed, whatever varies", "[report]") {
  report::SweepReport numbers;  // two numbers: both are axes
  numbers.name = "<numbers>";
  numbers.keys = {"modes.1.prior_images", "data.target.limit.images", "seed"};
  for (const char* prior : {"4", "16"})
    for (const char* images : {"100", "20", "3"})
      for (const char* seed : {"1", "2"})
        numbers.cells.push_back(test::sample_cell({prior, images, seed}, {0.5, *seed == '1' ? 0.6 : 0.7, 0.1}));
  const std::string crossed = report::sweep_html(numbers);
  CHECK_THAT(crossed, Contains("Images down, Prior images across."));
  CHECK_THAT(crossed, Contains("<title>20, 16: 65.0</title>"));  // the mean of two seeds
  CHECK_THAT(crossed, Contains("Means over seeds."));

  report::SweepReport one;  // one thing: beside it the modes
  one.keys = {"seed", "model.checkpoint"};
  for (const char* network : {"a.th", "b.th", "c.th"})
    one.cells.push_back(test::sample_cell({"7", network}, {0.5, 0.4, 0.1}));
  one.cells[1].record.reset();
  one.cells[1].reason = "b.th: no such <file>";
  one.cells[2].record.reset();
  const std::string listed = report::sweep_html(one);
  for (const char* text : {"Keep the statistics of the file: source is best on average, with accuracy 50.0&nbsp;%",
                           "1 of 3 runs are not finished.", "1 of 3 runs failed.", "no such &lt;file&gt;",
                           "<title>a.th, adabn: 40.0</title>"})
    CHECK_THAT(listed, Contains(text));

  report::SweepReport unlabelled = test::sample_sweep();
  for (report::SweepCell& cell : unlabelled.cells)
    for (results::ScoreRecord& score : cell.record->scores) {
      score.metric = "mean_confidence";
      score.difference.reset();
    }
  const std::string without = report::sweep_html(unlabelled);
  CHECK_THAT(without, Contains("The images have no labels: which mode is better cannot be determined here."));
  CHECK_THAT(without,
             Contains("<h2>Recommended without labels: source in 1, adabn in 8, cannot tell in 1 of 10 runs.</h2>"));
  CHECK(without.find("<b>8") == std::string::npos);

  report::SweepReport unfinished = test::sample_sweep();
  for (report::SweepCell& cell : unfinished.cells) {
    cell.record.reset();
    cell.recommendation.reset();
  }
  const std::string waiting = report::sweep_html(unfinished);
  CHECK_THAT(waiting, Contains("No run has finished"));
  for (const std::string& page :
       {report::sweep_html(test::sample_sweep()), crossed, listed, without, waiting, report::sweep_html({})}) {
    CHECK(unbalanced(page).empty());
    std::set<std::string> ids;
    for (const std::string& id : values_of(page, "id")) CHECK(ids.insert(id).second);
    CHECK(page.find("<numbers>") == std::string::npos);
  }
}
