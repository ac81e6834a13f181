#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "page_check.hpp"
#include "results/sample_run.hpp"
#include "shiftnorm/report/report.hpp"

using namespace shiftnorm;
using test::unbalanced, test::values_of;

// Law: every element that is opened is closed, by a checker that is tested here too.
TEST_CASE("The page is well formed with labels, without, and empty", "[report]") {
  CHECK(unbalanced(report::report_html(test::sample_run())).empty());
  CHECK(unbalanced(report::report_html(test::unlabelled_run())).empty());
  CHECK(unbalanced(report::report_html({})).empty());
  CHECK(unbalanced("<p><b></p>") == "</p> closes <b>");  // the checker itself
}

// Law: nothing in the page names another place to load from.
TEST_CASE("The page fetches nothing", "[report]") {
  const std::string page = report::report_html(test::sample_run());
  for (const char* reference : {"http:", "https:", "//", " src=", " href=", "url(", "@import", "<link", "<iframe"}) {
    INFO(reference);
    CHECK(page.find(reference) == std::string::npos);
  }
  CHECK_THAT(page, Catch::Contains("default-src 'none'"));
}

// Law: no text of a run is markup.
TEST_CASE("Every text is escaped", "[report]") {
  results::RunResults run = test::sample_run(2);
  const std::string evil = "<script>alert('x')</script>\"&\x1b[31m\xff";
  run.name = run.command = run.model_file = run.architecture = run.exported_file = run.fingerprint = run.protocol =
      evil;
  run.instruction_set = run.preprocess = run.program_version = run.model_sha256 = run.preprocess_sha256 = evil;
  run.config_yaml = evil + "\nsecond: line\n";
  for (std::string& name : run.classes) name = evil;
  run.bad.push_back({evil, evil});
  for (results::ModeReport& mode : run.modes) {
    mode.mode.name = mode.note = evil;
    mode.metrics[2].score = {std::nullopt, evil};
    mode.metrics.push_back({evil, {0.5, {}}, std::nullopt});
    mode.versus_source.push_back({evil, 0.5, std::nullopt, evil, 0.5});
    mode.per_class[0].recall = {std::nullopt, evil};
  }
  const std::string page = report::report_html(run);
  CHECK(unbalanced(page).empty());
  CHECK(page.find("<script>alert") == std::string::npos);
  CHECK(page.find("alert('x')") == std::string::npos);
  CHECK(page.find('\x1b') == std::string::npos);
  CHECK(page.find('\xff') == std::string::npos);
  CHECK_THAT(page,
             Catch::Contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;?[31m?\nsecond: line\n</pre>"));
}

// Oracle: the numbers of sample_run().
TEST_CASE("The page says what it must", "[report]") {
  const std::string page = report::report_html(test::sample_run());
  for (const char* text :
       {"<h2>blend16 raises accuracy from 18.8&nbsp;% to 54.0&nbsp;% (", ">52.6 %<br>",
        "<span class=\"word\">best</span> <b>54.0 %</b>", "+33.8 points",
        "truck/&lt;script&gt;alert(1)&lt;/script&gt;.png",
        "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8", "shiftnorm run configs/cifar10-noise.yaml",
        "  - {name: blend16, policy: blend, prior_images: 16}", "Confusion", "Reliability",
        "batch, batch-mean, batches of 50", "500 used, 500 labelled, 3 skipped, 2 bad", "avx512"}) {
    INFO(text);
    CHECK(page.find(text) != std::string::npos);
  }
  const std::string none = report::report_html(test::unlabelled_run());
  CHECK_THAT(none, Catch::Contains("have no labels"));
  CHECK_THAT(none, Catch::Contains("Mean confidence"));
  CHECK(none.find("Confusion") == std::string::npos);
}

// Law: ids are unique and labels refer to them; pictures counted by hand.
TEST_CASE("Pictures and tables are named for those who do not see them", "[report]") {
  const std::string page = report::report_html(test::sample_run());
  std::vector<std::string> ids = values_of(page, "id");
  const std::size_t all = ids.size();
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  CHECK(ids.size() == all);
  const std::vector<std::string> named = values_of(page, "aria-labelledby");
  // Bars and differences of five metrics; reliability, ROC and classes of six modes; drift and settling, each of two
  // measurements: adabn and its blend share one.
  CHECK(named.size() == 2 * 5 + 3 * 6 + 2 * 2);
  for (const std::string& pair : named) {
    CHECK(std::ranges::binary_search(ids, pair.substr(0, pair.find(' '))));
    CHECK(std::ranges::binary_search(ids, pair.substr(pair.find(' ') + 1)));
  }
  const auto count = [&](const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++n;
    return n;
  };
  CHECK(count("<table") == count("<caption>"));
}

// Oracle: 60 put in, the first 50 shown; the one confusion put in.
TEST_CASE("A long list of bad images is cut, many classes become a list", "[report]") {
  results::RunResults run = test::small_run({true, true}, {true, false});
  for (int i = 0; i < 60; ++i) run.bad.push_back({"bad" + std::to_string(i), "empty file"});
  run.modes[0].confusion.assign(std::size_t{40} * 40, 0);
  run.modes[0].confusion[3 * 40 + 7] = 11;
  const std::string page = report::report_html(run);
  CHECK_THAT(page, Catch::Contains("bad49<"));
  CHECK(page.find("bad50<") == std::string::npos);
  CHECK_THAT(page, Catch::Contains("The first 50 of 60"));
  CHECK_THAT(page, Catch::Contains("<td class=\"left\">class 7</td><td>11</td>"));
}

// For people: SHIFTNORM_REPORT_PAGE=FILE writes the page to look at.
// Law: well formed.
TEST_CASE("The sample page can be looked at", "[report]") {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here writes the environment.
  const char* file = std::getenv("SHIFTNORM_REPORT_PAGE");
  const std::string page = report::report_html(file == nullptr ? test::sample_run(2) : test::sample_run(2000));
  CHECK(unbalanced(page).empty());
  if (file != nullptr) std::ofstream(file) << page;
}

// Oracle: the accuracies of sample_run(): adabn 52.6, blend16 54.0; disabled is never recommended.
TEST_CASE("The page tells what was said without labels from what labels show", "[report]") {
  results::RunResults run = test::sample_run(2);
  CHECK(report::report_html(run).find("<h3>Without labels</h3>") == std::string::npos);
  run.recommendation = results::Recommendation{"adabn", {"It is surest <b>."}, "low"};
  const std::string page = report::report_html(run);
  for (const char* text :
       {"<h3>By the labels</h3>\n<p class=\"pick\"><b>blend16</b> <span class=\"quiet\">confidence: high</span>",
        "<h3>Without labels</h3>\n<p class=\"pick\"><b>adabn</b> <span class=\"quiet\">confidence: low</span>",
        "It is surest &lt;b&gt;.",
        "The labels, which it did not see: its accuracy is 52.6&nbsp;%, the best 54.0&nbsp;% (blend16)."})
    CHECK_THAT(page, Catch::Contains(text));
  run.recommendation->mode = "blend16";
  CHECK_THAT(report::report_html(run), Catch::Contains("its accuracy of 54.0&nbsp;% is the best."));
  run.recommendation = results::Recommendation{std::nullopt, {"Few classes."}, "cannot tell"};
  CHECK_THAT(report::report_html(run),
             Catch::Contains("<p class=\"pick\"><b>cannot tell</b></p>\n<ul>\n<li>Few classes.</li>"));

  results::RunResults unlabelled = test::unlabelled_run();
  unlabelled.recommendation = results::Recommendation{"adabn", {"It is surest."}, "high"};
  CHECK_THAT(report::report_html(unlabelled),
             Catch::Contains("<h2>Recommended without labels: adabn (confidence: high).</h2>\n<div class=\"answers\">\n"
                             "<div>\n<h3>Without labels</h3>"));
  unlabelled.recommendation->mode.reset();
  CHECK_THAT(report::report_html(unlabelled),
             Catch::Contains("<h2>Which mode is better cannot be determined: there are no labels"));
  CHECK(unbalanced(report::report_html(unlabelled)).empty());
}
