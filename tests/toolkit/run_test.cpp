#include "shiftnorm/toolkit/run.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/toolkit/scoring.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using toolkit::BadLimit;

namespace {

config::Config small_config(const std::filesystem::path& dir, const std::string& modes, const std::string& more = "") {
  test::write_random_network(dir / "net.safetensors", "cifar_resnet20", "module.");
  test::write_random_arrays(dir / "images.npy", 12, 32);
  return config::parse_config(
      "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
      "data: {target: {path: images.npy}}\nmodes: " +
          modes + "\n" + more,
      "small.yaml", {dir, {}});
}

}  // namespace

// Oracle: docs/reference/command-line.md#exit-codes, one bad file alone never gives 4; and the share counted by hand.
TEST_CASE("too many bad files are told from a few", "[experiment]") {
  CHECK_FALSE(BadLimit{}.exceeded({1, 1}));
  CHECK(BadLimit{}.exceeded({2, 2}));
  CHECK_FALSE(BadLimit{}.exceeded({38, 2}));  // exactly 5 %
  CHECK(BadLimit{}.exceeded({37, 2}));
  CHECK_FALSE((BadLimit{3, false}.exceeded({0, 3})));
  CHECK((BadLimit{3, false}.exceeded({1000, 4})));
  CHECK_FALSE((BadLimit{0, false}.exceeded({5, 1})));
}

// Oracle: what was put in: 12 images and ResNet-20's 19 BatchNorms; the export holds what adabn measured.
TEST_CASE("a run scores every mode on the same images and exports one", "[experiment]") {
  const test::TempDir dir;
  const config::Config config = small_config(dir.path(), "[source, adabn, {policy: blend, prior_images: 16}, identity]",
                                             "export: {mode: adabn, path: adapted.safetensors}\n");
  toolkit::RunOptions options;
  options.folder = dir.path() / "run";
  const toolkit::RunOutcome outcome = toolkit::run_experiment(config, options, {});
  const results::RunResults& results = outcome.results;
  CHECK(results.images == 12);
  CHECK(results.batchnorms == 19);
  CHECK(results.bad.empty());
  REQUIRE(results.modes.size() == 4);
  for (const results::ModeReport& mode : results.modes) {
    INFO(mode.mode.name);
    REQUIRE(mode.probabilities.size() == 120);
    CHECK(mode.metrics.empty());  // no labels
    CHECK(mode.mean_confidence >= 0.1);
    CHECK(mode.mean_confidence <= 1.0);
    // 1e-12: ten doubles that sum to 1.
    CHECK(std::accumulate(mode.probabilities.begin(), mode.probabilities.begin() + 10, 0.0) ==
          Approx(1.0).margin(1e-12));
  }
  CHECK(results.modes[0].probabilities != results.modes[1].probabilities);

  REQUIRE(outcome.statistics.size() == 2);  // source and identity measure nothing
  CHECK(outcome.statistics[0].first == "adabn");
  CHECK(outcome.statistics[0].second == outcome.statistics[1].second);  // measuring does not depend on the policy
  CHECK(results.modes[0].drift.empty());
  REQUIRE(results.modes[1].drift.size() == 19);
  CHECK(results.modes[0].settling.layers.empty());
  CHECK(results.modes[1].settling.layers.size() == 19);
  CHECK(results.modes[1].drift[0].name == "bn1");
  CHECK(results.modes[1].drift[0].mean_shift > 0);

  // The exported file is the original but for BatchNorm vectors, and its own statistics are adabn's: `source` on it
  // gives adabn's outputs.
  REQUIRE(outcome.exported.size() == 1);
  const std::vector<std::byte> original = read_file(dir.path() / "net.safetensors");
  REQUIRE(outcome.exported[0].file.bytes.size() == original.size());
  CHECK(outcome.exported[0].file.bytes != original);
  write_file(dir.path() / "adapted.safetensors", outcome.exported[0].file.bytes);
  write_file(dir.path() / "adapted.safetensors.provenance.json", outcome.exported[0].file.provenance);
  config::Config again = config;
  again.model.checkpoint = dir.path() / "adapted.safetensors";
  again.preprocess.reset();  // the provenance beside the file says it
  again.modes.resize(1);
  again.exported.reset();
  const toolkit::RunOutcome adapted = toolkit::run_experiment(again, options, {});
  CHECK(adapted.results.preprocess == "cifar10");
  for (std::size_t i = 0; i < 120; ++i)
    // 1e-4: statistics were rounded to the file's float32.
    CHECK(adapted.results.modes[0].probabilities[i] == Approx(results.modes[1].probabilities[i]).margin(1e-4));

  const container::Json provenance = container::parse_json(outcome.exported[0].file.provenance);
  CHECK(provenance.at("source_sha256").as_string() == sha256_hex(original));
  CHECK(provenance.at("adapted_sha256").as_string() == sha256_hex(outcome.exported[0].file.bytes));
  CHECK(provenance.at("images").as_integer() == 12);
  CHECK(outcome.exported[0].file.provenance.find(dir.path().string()) == std::string::npos);
}

// Oracle: the presets of configs/presets.
TEST_CASE("images need a preprocessing, and the choices are listed", "[experiment]") {
  const test::TempDir dir;
  config::Config config = small_config(dir.path(), "[source]");
  config.preprocess.reset();
  CHECK_THROWS_AS(toolkit::run_experiment(config, {}, {}), ConfigError);
  CHECK_THROWS_WITH(toolkit::run_experiment(config, {}, {}),
                    Catch::Matchers::Contains("images without a preprocessing") &&
                        Catch::Matchers::Contains("cifar10, ct-head-3windows"));
}

// Oracle: docs/reference/estimators.md#policies.
TEST_CASE("a mode that no file can hold is not exported", "[experiment]") {
  adapt::Mode mode;
  mode.policy = adapt::Policy::batch;
  CHECK_THROWS_AS(toolkit::check_exportable(mode), ConfigError);
  CHECK_THROWS_WITH(toolkit::check_exportable(mode),
                    Catch::Matchers::Contains("its statistics change with every batch"));
}

// Worked by hand: two classes, three images. Source: right, wrong, wrong. Other: right, right, wrong.
TEST_CASE("a mode is scored and compared with source", "[experiment]") {
  toolkit::Scorer scorer;
  scorer.evaluate.metrics = {"accuracy", "nll"};
  scorer.labels = {0, 1, -1, 0};  // the third has no label and is not scored
  const auto report_of = [&](std::vector<float> logits) {
    adapt::ModeResult result;
    result.outputs = adapt::Outputs{2, std::move(logits)};
    result.seconds = {0, 2};
    return scorer.report({}, result);
  };
  const results::ModeReport source = report_of({2, 0, 2, 0, 0, 0, 0, 2});
  results::ModeReport other = report_of({2, 0, 0, 2, 0, 0, 0, 2});
  REQUIRE(source.metrics.size() == 2);
  CHECK(*source.metrics[0].score.value == Approx(1.0 / 3));
  CHECK(*other.metrics[0].score.value == Approx(2.0 / 3));
  CHECK(source.images_per_second == Approx(2));  // four images in two seconds
  CHECK(source.confusion == std::vector<std::int64_t>{1, 1, 1, 0});
  CHECK(source.probabilities.size() == 8);
  scorer.compare(other, source);
  REQUIRE(other.versus_source.size() == 2);
  CHECK(other.versus_source[0].test == "mcnemar");
  CHECK(other.versus_source[0].difference == Approx(1.0 / 3));
  CHECK(*other.versus_source[0].p == Approx(1.0));  // one discordant pair: 2 * (1/2)^1
  CHECK(other.versus_source[1].test == "bootstrap");
}
