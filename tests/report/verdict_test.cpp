#include <catch2/catch.hpp>

#include "results/sample_run.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/report/report.hpp"
#include "shiftnorm/results/results_json.hpp"

using namespace shiftnorm;
using container::Json;

namespace {

struct Said {
  std::string mode, headline, confidence, all;
};

Said said(results::RunResults run) {
  run.verdict = report::verdict(run);
  const Json json = container::parse_json(results::results_json(run));
  const Json& it = json.at("verdict");
  Said out{it.at("mode").is_null() ? "" : it.at("mode").as_string(),
           it.at("because").as_array().at(0).as_string(),
           it.at("confidence").as_string(),
           {}};
  for (const Json& line : it.at("because").as_array()) out.all += line.as_string() + "\n";
  return out;
}

/// The first `right` of `images`.
std::vector<bool> first(std::size_t images, std::size_t right) {
  std::vector<bool> out(images);
  for (std::size_t i = 0; i < right; ++i) out[i] = true;
  return out;
}

}  // namespace

// Oracle: the accuracies the run was made with; McNemar of 176 against at least 169 pairs is far below 0.001.
TEST_CASE("The verdict names the mode that is shown to be better", "[report]") {
  const Said it = said(test::sample_run(2000));
  CHECK(it.mode == "blend16");
  CHECK(it.confidence == "high");
  CHECK_THAT(it.headline,
             Catch::StartsWith("blend16 raises accuracy from 18.8 % to 54.0 % (+35.2 points, 95 % interval "));
  CHECK_THAT(it.headline, Catch::EndsWith(", McNemar p < 0.001) on 500 images."));
  CHECK_THAT(it.all, Catch::Contains("The difference is significant at 0.05, corrected for 5 comparisons (Holm)."));
  CHECK_THAT(it.all,
             Catch::Contains("On these images blend16 cannot be distinguished from adabn (52.6 %, McNemar p = "));
}

// Oracle: by hand. 3 pairs against none: p = 2 * 2^-3 = 0.25.
TEST_CASE("The verdict is honest about a gain that is not shown", "[report]") {
  const Said it = said(test::small_run(first(40, 20), first(40, 23)));
  CHECK(it.mode == "source");
  CHECK(it.confidence == "low");
  CHECK_THAT(it.headline, Catch::StartsWith("No mode is shown to be better than source, accuracy 50.0 % on 40 images: "
                                            "the best, adabn, has 57.5 % (+7.5 points"));
  CHECK_THAT(it.headline, Catch::Contains("McNemar p = 0.250"));
  CHECK_THAT(it.all, Catch::Contains("The difference is not significant at 0.05."));
}

// Oracle: by hand. 10 pairs against none: p = 2^-9 = 0.002.
TEST_CASE("The verdict keeps the source where nothing beats it", "[report]") {
  const Said worse = said(test::small_run(first(40, 30), first(40, 20)));
  CHECK(worse.mode == "source");
  CHECK(worse.confidence == "high");
  CHECK_THAT(
      worse.headline,
      Catch::StartsWith(
          "Nothing beats source, accuracy 75.0 % on 40 images: the best other mode, adabn, has 50.0 % (-25.0 points"));
  CHECK_THAT(worse.headline, Catch::Contains("McNemar p = 0.002"));
  const Said same = said(test::small_run(first(40, 20), first(40, 20)));
  CHECK(same.mode == "source");
  CHECK(same.confidence == "low");
  CHECK_THAT(same.headline, Catch::Contains("has 50.0 % (0.0 points"));
}

// Law: one p below 1 - level is not enough when many modes were tried. 6 against 0: p = 0.03125; two modes make 0.0625.
TEST_CASE("The verdict allows for the number of modes", "[report]") {
  results::RunResults run = test::small_run(first(40, 20), first(40, 26));
  CHECK(said(run).mode == "adabn");
  run.modes.push_back(run.modes[1]);
  run.modes[2].mode.name = "again";
  CHECK(said(run).mode == "source");
  CHECK_THAT(said(run).all,
             Catch::Contains("The difference is not significant at 0.05, corrected for 2 comparisons (Holm)."));
}

// Oracle: the counts put in: 20 and 26 of 40 right.
TEST_CASE("The verdict says what it cannot tell", "[report]") {
  CHECK(said(test::unlabelled_run()).headline ==
        "The 500 images have no labels: which mode is better cannot be determined here.");
  CHECK(said({}).headline == "No mode was run.");
  results::RunResults run = test::small_run(first(40, 20), first(40, 26));
  run.modes.pop_back();
  CHECK(said(run).headline == "Only source was scored: accuracy 50.0 % on 40 images.");
  run = test::small_run(first(40, 20), first(40, 26));
  run.modes.erase(run.modes.begin());
  run.modes[0].versus_source.clear();
  CHECK(said(run).headline ==
        "adabn has the best accuracy, 65.0 % on 40 images; there is no source to compare it with.");
  CHECK(said(run).confidence == "cannot tell");
}

// Without accuracy the first defined metric decides, and for NLL lower is better.
// Oracle: 38 of 40 right have the lower NLL than 10 of 40.
TEST_CASE("The verdict can stand on another metric", "[report]") {
  results::RunResults run = test::small_run(first(40, 10), first(40, 38));
  for (results::ModeReport& mode : run.modes)
    std::erase_if(mode.metrics, [](const results::MetricResult& m) { return m.name != "nll"; });
  const Said it = said(run);
  CHECK(it.mode == "adabn");
  CHECK_THAT(it.headline, Catch::StartsWith("adabn lowers negative log-likelihood from "));
}
