// What the program says about an estimate, and how it continues one, as a user meets it.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;
using test::Call;

namespace {

std::vector<std::string> recalibration(std::vector<std::string> more, const std::string& network = "net.safetensors",
                                       const std::string& data = "images") {
  std::vector<std::string> arguments{"recalibrate", network, "--arch",       "cifar_resnet20",
                                     "--data",      data,    "--preprocess", "cifar10"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

constexpr std::array<std::string_view, 5> kEstimators{"population", "batch-mean", "ema", "ema-reset", "dua"};

/// A state_dict as PyTorch writes it with track_running_stats=False.
void write_without_statistics(const test::Workplace& place) {
  std::vector<std::pair<std::string, Array>> kept;
  for (auto& [name, array] : container::read_safetensors(read_file(place / "net.safetensors")))
    if (!name.ends_with("running_mean") && !name.ends_with("running_var")) kept.emplace_back(name, array);
  write_file(place / "bare.safetensors", container::write_safetensors(kept));
}

}  // namespace

// Oracle: the names that adapt lists.
TEST_CASE("every policy, semantics and estimator is listed by --help and taken by options and YAML alike", "[cli]") {
  const test::Workplace place(1);
  const std::string help = done(place, {"recalibrate", "--help"}).out,
                    of_mode = done(place, {"evaluate", "--help"}).out;
  const auto listed = [](std::string text, const std::string_view name) {
    std::ranges::replace_if(
        text, [](char c) { return c == '\n' || c == ',' || c == ';' || c == ':'; }, ' ');
    return text.find(std::string(" ").append(name).append(" ")) != std::string::npos;
  };
  for (const std::string& policy : adapt::kPolicies.list()) {
    CAPTURE(policy);
    CHECK(listed(help, policy));
    CHECK(listed(of_mode, policy));
  }
  for (const std::string_view name : {"layerwise", "batch", "source"}) CHECK(listed(help, name));
  for (const std::string_view name : kEstimators) CHECK(listed(help, name));

  for (const adapt::Policy policy : {adapt::Policy::hybrid_decay, adapt::Policy::instance, adapt::Policy::source})
    for (const std::string_view estimator : kEstimators) {
      const std::string name(adapt::name_of(policy)), method(estimator),
          semantics = method == "population" ? "layerwise" : "batch";
      const adapt::Mode mode{.policy = policy,
                             .semantics = adapt::parse_semantics(semantics),
                             .estimator = adapt::parse_estimator(method),
                             .batch = method == "dua" ? 1 : 64};
      const bool sensible = adapt::problems(mode).empty();
      place.write_yaml("one.yaml", "[source, {name: m, policy: " + name + ", semantics: " + semantics +
                                       ", estimator: " + method + (method == "dua" ? ", batch: 1" : "") + "}]");
      CAPTURE(name, method);
      CHECK((test::shiftnorm(place.path(), {"run", "one.yaml", "--dry-run"}).exit == 0) == sensible);
      std::vector<std::string> options{
          "evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data",  "images/none", "--preprocess",
          "cifar10",  "--mode",          name,     "--semantics",    semantics, "--estimator", method};
      if (method == "dua") options.insert(options.end(), {"--batch", "1"});
      // With a sensible mode it comes as far as the images, which are not there.
      CHECK(test::shiftnorm(place.path(), options).exit == (sensible ? 3 : 2));
    }
}

// Law: an interrupted estimate that is resumed is the one that was not interrupted, to the last byte.
TEST_CASE("an interrupted recalibration keeps what it has and goes on with --resume", "[cli]") {
  const test::Workplace place(30);
  const auto method = GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--semantics", "source"},
                               std::vector<std::string>{"--semantics", "batch", "--estimator", "ema", "--batch", "8"});
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), method.begin(), method.end());
    return recalibration(more);
  };
  done(place, with({"--out", "whole", "--stats-out", "whole.bnstats", "--quiet"}));
  // Half of the work by one thread, so that some level or group is behind it: several threads have that many begun.
  const std::string half = method.empty() || method[1] == "batch" ? "adapt: 2850 of 5700" : "adapt: 150 of 300";
  const Call call = test::shiftnorm_signalled(
      place.path(), with({"--out", "part", "--stats-out", "part.bnstats", "--log-level", "debug", "--threads", "1"}),
      SIGINT, half);
  INFO(call.err);
  REQUIRE(call.exit == 130);
  CHECK_THAT(call.err, Contains("part.interrupted: keeps what was measured; the same command with --resume"));
  REQUIRE(std::filesystem::exists(place / "part.interrupted"));
  CHECK_FALSE(std::filesystem::exists(place / "part"));
  test::check_refused(place, {"stats", "show", "part.interrupted"}, 3, "belongs to an estimate that was interrupted");
  test::check_refused(place,
                      recalibration({"--policy", "blend", "--prior-images", "4", "--semantics", "batch", "--batch", "3",
                                     "--out", "part", "--resume", "--quiet"}),
                      2, "part.interrupted: belongs to an estimate with other options");
  done(place, with({"--out", "part", "--stats-out", "part.bnstats", "--quiet", "--resume"}));
  CHECK(read_file(place / "part") == read_file(place / "whole"));
  CHECK(read_file(place / "part.bnstats") == read_file(place / "whole.bnstats"));
  CHECK_FALSE(std::filesystem::exists(place / "part.interrupted"));
}

TEST_CASE("with --max-images auto as many images are read as the layers need", "[cli]") {
  const test::Workplace place(10);
  done(place, recalibration(
                  {"--max-images", "auto", "--out", "auto", "--stats-out", "auto.bnstats", "--quiet", "--seed", "5"}));
  const Json provenance = container::parse_json(as_text(read_file(place / "auto.provenance.json")));
  const std::int64_t images = provenance.at("images").as_integer();
  CHECK((images == 32 || images == 64 || images == 100));
  CHECK_THAT(provenance.at("drawn").as_string(), Contains("auto: ") && Contains("seed 5"));
  // Law: the same as asking for that many.
  done(place, recalibration({"--max-images", std::to_string(images), "--out", "asked", "--quiet", "--seed", "5"}));
  CHECK(read_file(place / "asked") == read_file(place / "auto"));
  CHECK_THAT(done(place, {"stats", "show", "auto.bnstats", "--json"}).out, Contains("\"drawn\": \"auto: "));
  test::check_refused(place, recalibration({"--max-images", "auto", "--policy", "disabled", "--out", "x"}), 2,
                      "--max-images = auto: needs");
  test::check_refused(
      place, recalibration({"--max-images", "auto", "--semantics", "batch", "--estimator", "ema", "--out", "x"}), 2,
      "--max-images = auto: needs");
  test::check_refused(place,
                      {"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images", "--preprocess",
                       "cifar10", "--max-images", "auto"},
                      2, "--max-images = auto: is for recalibrate");
}

// Oracle: docs/reference/estimators.md: batches of 4 images of one class, 1/4 of the variance.
TEST_CASE("few images, pure batches and what batch-mean loses are told", "[cli]") {
  const test::Workplace place(4);
  const Call few = done(place, recalibration({"--max-images", "1", "--out", "one"}));
  CHECK_THAT(few.err, Contains("one image does not show whether the statistics have settled"));
  const Call pure = done(place, recalibration({"--semantics", "batch", "--estimator", "batch-mean", "--batch", "4",
                                               "--shuffle", "off", "--out", "pure", "--json"}));
  CHECK_THAT(pure.err, Contains("10 of 10 batches hold images of only one class"));
  CHECK_THAT(pure.err, Contains("batch-mean loses about 1/4 of the variance between images"));
  const Json settling = container::parse_json(pure.out).at("settling");
  CHECK(settling.at("layers").as_array().size() == 19);
  CHECK(settling.at("layers").as_array()[0].at("error").as_number() > 0);
  const Call ragged = done(
      place, recalibration({"--semantics", "batch", "--estimator", "batch-mean", "--batch", "16", "--out", "ragged"}));
  CHECK_THAT(ragged.err, Contains("counts the last batch of 8 image(s) as much as one of 16"));
}

// Oracle: 19 BatchNorms; statistics of random weights and of images differ.
TEST_CASE("inspect shows how far measured statistics lie from a checkpoint's own", "[cli]") {
  const test::Workplace place;
  done(place, recalibration({"--stats-out", "s.bnstats"}));  // --out may be left out
  const Json drift =
      container::parse_json(done(place, {"inspect", "net.safetensors", "--stats", "s.bnstats", "--json"}).out)
          .at("drift");
  REQUIRE(drift.as_array().size() == 19);
  CHECK(drift.as_array()[2].at("symmetric_kl").as_number() > 0);
  CHECK_THAT(done(place, {"inspect", "net.safetensors", "--stats", "s.bnstats"}).out, Contains("variance ratio"));
  test::check_refused(place, recalibration({}), 2, "--out: missing");
}

// Oracle: docs/reference/estimators.md#files-without-source-statistics.
TEST_CASE("a file without running statistics is an explicit case", "[cli]") {
  const test::Workplace place;
  write_without_statistics(place);
  const Json seen =
      container::parse_json(done(place, {"inspect", "bare.safetensors", "--arch", "cifar_resnet20", "--json"}).out);
  CHECK(seen.at("batchnorms").as_array()[0].at("statistics").as_string() == "absent");
  CHECK_THAT(done(place, {"inspect", "bare.safetensors", "--arch", "cifar_resnet20"}).out,
             Contains("no source statistics"));
  test::check_refused(place, recalibration({"--out", "x", "--quiet"}, "bare.safetensors"), 2,
                      "bare.safetensors: its BatchNorms keep no running statistics");
  test::check_refused(
      place,
      recalibration({"--policy", "blend", "--prior-images", "16", "--stats-out", "x", "--quiet"}, "bare.safetensors"),
      2, "no source statistics: the file holds none");
  done(place, recalibration({"--stats-out", "s.bnstats", "--quiet"}, "bare.safetensors"));
  const std::vector<std::string> evaluate{"evaluate", "bare.safetensors", "--arch",  "cifar_resnet20", "--data",
                                          "images",   "--preprocess",     "cifar10", "--json"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), evaluate.begin(), evaluate.end());
    return more;
  };
  CHECK(container::parse_json(done(place, with({"--stats", "s.bnstats"})).out).at("metrics") ==
        container::parse_json(done(place, with({"--mode", "adabn"})).out).at("metrics"));
  done(place, with({"--mode", "batch", "--batch", "8"}));
  test::check_refused(place, with({"--mode", "source", "--quiet"}), 2, "no source statistics");
  // Some of them missing is damage, not this case.
  auto arrays = container::read_safetensors(read_file(place / "net.safetensors"));
  arrays.erase("bn1.running_mean");
  std::vector<std::pair<std::string, Array>> damaged(arrays.begin(), arrays.end());
  write_file(place / "damaged.safetensors", container::write_safetensors(damaged));
  test::check_refused(place, recalibration({"--out", "x", "--quiet"}, "damaged.safetensors"), 3,
                      "1 missing (bn1.running_mean)");
}
