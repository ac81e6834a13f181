#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <set>

#include "results/sample_run.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/report/heat_map.hpp"
#include "shiftnorm/report/report.hpp"

using namespace shiftnorm;

namespace {

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

/// 1000 classes, 300 layers, 10 modes.
results::RunResults large_run() {
  constexpr std::size_t kClasses = 1000, kImages = 300, kLayers = 300, kModes = 10;
  results::RunResults run;
  run.name = "large";
  for (std::size_t c = 0; c < kClasses; ++c) run.classes.push_back("class of images number " + std::to_string(c));
  for (std::size_t i = 0; i < kImages; ++i) {
    run.ids.push_back(std::to_string(i));
    run.labels.push_back(static_cast<std::int32_t>(i * 3));
  }
  run.images = kImages;
  for (std::size_t m = 0; m < kModes; ++m) {
    results::ModeReport& mode = run.modes.emplace_back();
    mode.mode.name = "mode-" + std::to_string(m);
    mode.mode.policy = m == 0 ? "source" : "adabn";
    mode.probabilities.assign(kImages * kClasses, 0.0005);
    for (std::size_t i = 0; i < kImages; ++i) mode.probabilities[i * kClasses + (i * (m + 3)) % kClasses] = 0.5;
    const metrics::Predictions p{kClasses, run.labels, mode.probabilities};
    mode.metrics = {{"accuracy", metrics::score(metrics::metric("accuracy"), p), std::nullopt}};
    mode.per_class = metrics::per_class(p);
    mode.confusion = metrics::confusion_matrix(p);
    mode.reliability = metrics::reliability(p);
    for (std::size_t l = 0; m > 0 && l < kLayers; ++l) {
      const std::string name = "features.denseblock4.denselayer" + std::to_string(l) + ".norm2";
      const double v = 1 + static_cast<double>((l * m) % 17) / 10;
      mode.drift.push_back({name, v, v, v, v, 0});
      mode.settling.layers.push_back({name, v / 20, v});
    }
  }
  return run;
}

}  // namespace

// Oracle: the number that decision 0021 gives.
TEST_CASE("A page of 1000 classes, 300 layers and 10 modes stays small", "[report]") {
  const std::string page = report::report_html(large_run());
  CHECK(page.size() < 4 * 1000 * 1000);
  CHECK_THAT(page, Catch::Contains("The 200 of 1000 classes on which the modes differ most"));
  CHECK_THAT(page, Catch::Contains("25 classes in a bar"));
}

// Oracle: the pictures of the page, counted.
TEST_CASE("Every picture of the page is a file too", "[report]") {
  const results::RunResults run = test::sample_run(2);
  const std::vector<report::Picture> pictures = report::report_pictures(run);
  CHECK(pictures.size() == count(report::report_html(run), "<svg "));
  std::set<std::string> names;
  for (const report::Picture& picture : pictures) {
    INFO(picture.name);
    CHECK(names.insert(picture.name).second);
    CHECK(picture.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
          std::string::npos);
    CHECK(picture.svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
    CHECK(picture.svg.ends_with("</svg>\n"));
    CHECK(picture.svg.find("var(--") == std::string::npos);
  }
}

// Oracle: by hand. Both findings of class 1 rank above both of class 0 but one pair: the curve passes (0, 1/2), (1/2,
// 1).
TEST_CASE("A ROC curve goes through its points", "[report]") {
  results::RunResults run;
  run.classes = {"no", "yes"};
  run.ids = {"a", "b", "c", "d"};
  run.labels = {1, 0, 1, 0};
  results::ModeReport& mode = run.modes.emplace_back();
  mode.mode.name = "only";
  for (const double p : {0.9, 0.6, 0.4, 0.1}) mode.probabilities.insert(mode.probabilities.end(), {1 - p, p});
  const std::string page = report::report_html(run);
  const auto row = [](const char* fpr, const char* tpr) {
    return std::string(">") + fpr + "</td><td data-v=\"" + tpr + "\"";
  };
  CHECK_THAT(page, Catch::Contains(row("0.00", "0.500000")));
  CHECK_THAT(page, Catch::Contains(row("0.45", "0.500000")));
  CHECK_THAT(page, Catch::Contains(row("0.50", "1.000000")));
  CHECK_THAT(page, Catch::Contains(row("1.00", "1.000000")));
}

// Law: scores that say nothing give the diagonal.
TEST_CASE("Ties make a ROC curve straight", "[report]") {
  results::RunResults run;
  run.classes = {"no", "yes"};
  run.ids = {"a", "b", "c"};
  run.labels = {1, 0, 0};
  run.modes.emplace_back().mode.name = "tied";
  run.modes[0].probabilities.assign(6, 0.5);
  const std::string page = report::report_html(run);
  for (const char* row : {">0.25</td><td data-v=\"0.250000\"", ">0.75</td><td data-v=\"0.750000\""})
    CHECK_THAT(page, Catch::Contains(row));
}

// Oracle: the numbers put in; (0.5 * 2 + 0 * 1) / 3 by hand.
TEST_CASE("Subgroups, findings and streams have their parts of the page", "[report]") {
  results::RunResults run = test::small_run({true, false, true, true}, {true, true, true, true});
  for (const char* absent : {"<h2>Subgroups", "<h2>Findings", "<h2>Stream"})
    CHECK(report::report_html(run).find(absent) == std::string::npos);
  run.modes[1].subgroups = {{"sex", "<f>", 3, 2, {{"accuracy", {0.75, {}}, metrics::Interval{0.5, 1}}}},
                            {"sex", "m", 1, 0, {{"accuracy", {std::nullopt, "no labels"}, std::nullopt}}}};
  run.modes[1].findings = {{"effusion", 4, 1, {{"accuracy", {0.25, {}}, std::nullopt}}}};
  run.modes[1].stream = {{2, 2, 0.5, 1.0}, {2, 0, 0, 0}, {2, 1, 0.0, 1.0}};
  const std::string page = report::report_html(run);
  // Shares of all labelled images: (0.5 * 2 + 0 * 1) / 3 and 1.
  for (const char* text : {"&lt;f&gt;", "75.0 %<br><span class=\"quiet\">50.0 to 100.0", "no labels", "effusion",
                           "before 33.3 %, after 100.0 % of 3 labelled images", "id=\"stream-1-adabn-t\""})
    CHECK_THAT(page, Catch::Contains(text));
  CHECK(report::report_pictures(run).size() == count(page, "<svg "));
}

// Oracle: the four values put in.
TEST_CASE("A heat map shows every value and what is missing", "[report]") {
  const report::HeatMap map{
      "Gain <b>", "Shift", "Mode",      {"noise", "blur & fog"}, {"adabn", "off"}, {0.12, -0.3, std::nan(""), 0.0},
      true,       true,    std::nullopt};
  const std::string html = report::heat_maps_html({map}, "3");
  for (const char* text : {">+12.0<", ">-30.0<", ">0.0<", ">none<", "blur &amp; fog", "Gain &lt;b&gt;",
                           "noise, off: -30.0", "id=\"heat-map-3-Gain-b-t\""})
    CHECK_THAT(html, Catch::Contains(text));
  CHECK(count(html, "class=\"other cell\"") == 1);
  CHECK_THAT(report::heat_map_svg(map), Catch::StartsWith("<svg xmlns="));
  report::HeatMap wrong = map;
  wrong.values.pop_back();
  CHECK_THROWS_AS(report::heat_map_svg(wrong), ShapeError);
}
