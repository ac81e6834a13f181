#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;
using test::Call;

namespace {

Json json_at(const std::filesystem::path& path) { return container::parse_json(as_text(read_file(path))); }

Call done(const test::Workplace& place, const std::vector<std::string>& arguments) {
  Call call = test::shiftnorm(place.path(), arguments);
  INFO(call.err);
  REQUIRE(call.exit == 0);
  return call;
}

Json run(const test::Workplace& place, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"run", "x.yaml", "--out", "out", "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  done(place, arguments);
  return json_at(place / "out/results.json");
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }
double normal_quantile(double q) {
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) (normal_cdf((low + high) / 2) < q ? low : high) = (low + high) / 2;
  return low;
}

/// The BCa interval of a share of k of n: resamples of it are binomial, so that their distribution is known, and the
/// jackknife's values are two numbers (Efron and Tibshirani 1993, ch. 14).
std::pair<double, double> bca_of_share(int k, int n, double level) {
  const double p = static_cast<double>(k) / n;
  std::vector<double> cumulated;
  double sum = 0;
  for (int i = 0; i <= n; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) + i * std::log(p) +
                    (n - i) * std::log1p(-p));
    cumulated.push_back(sum);
  }
  const auto at = static_cast<std::size_t>(k);
  const double bias = normal_quantile((cumulated[at - 1] + cumulated[at]) / 2);
  const double right = (k - 1.0) / (n - 1), wrong = static_cast<double>(k) / (n - 1),
               mean = (k * right + (n - k) * wrong) / n;
  const double square = k * std::pow(mean - right, 2) + (n - k) * std::pow(mean - wrong, 2);
  const double cube = k * std::pow(mean - right, 3) + (n - k) * std::pow(mean - wrong, 3);
  const double acceleration = cube / (6 * std::pow(square, 1.5));
  const auto end = [&](double q) {
    const double z = bias + normal_quantile(q), moved = normal_cdf(bias + z / (1 - acceleration * z));
    return static_cast<double>(std::ranges::lower_bound(cumulated, moved) - cumulated.begin()) / n;
  };
  return {end((1 - level) / 2), end((1 + level) / 2)};
}

}  // namespace

// Oracle: the formula on the exact distribution of resampled shares (bca_of_share).
TEST_CASE("BCa intervals are what was asked for, computed and recorded", "[cli]") {
  const test::Workplace place(10);
  place.write_yaml("x.yaml");
  const Json plain = run(place, {"--set", "evaluate.metrics=[accuracy]", "--set", "evaluate.interval.resamples=20000"});
  CHECK(plain.at("interval").at("method").as_string() == "bootstrap");
  std::filesystem::remove_all(place / "out");
  const Json json = run(place, {"--set", "evaluate.metrics=[accuracy]", "--set", "evaluate.interval.resamples=20000",
                                "--set", "evaluate.interval.method=bca"});
  CHECK(json.at("interval").at("method").as_string() == "bca");
  CHECK(json.at("interval").at("clusters").as_integer() == 100);
  CHECK_THAT(std::string(as_text(read_file(place / "out/report.html"))), Contains("BCa bootstrap over images (100)"));
  CHECK_THAT(std::string(as_text(read_file(place / "out/config.yaml"))), Contains("method: bca"));
  bool moved = false;
  for (std::size_t m = 0; m < 2; ++m) {
    const Json &accuracy = json.at("modes").as_array()[m].at("metrics").at("accuracy"),
               &percentile = plain.at("modes").as_array()[m].at("metrics").at("accuracy");
    const int right = static_cast<int>(std::lround(100 * accuracy.at("value").as_number()));
    REQUIRE(right > 0);
    const auto [low, high] = bca_of_share(right, 100, 0.95);
    // One image: the quantile of 20000 resamples may fall on the step beside that of the distribution.
    CHECK(accuracy.at("low").as_number() == Approx(low).margin(0.0101));
    CHECK(accuracy.at("high").as_number() == Approx(high).margin(0.0101));
    moved = moved || accuracy.at("high") != percentile.at("high") || accuracy.at("low") != percentile.at("low");
  }
  CHECK(moved);
}

TEST_CASE("results say nothing of what was not done", "[cli]") {
  const test::Workplace place;
  place.write_yaml("x.yaml",
                   "[source, disabled, adabn, {name: b, policy: adabn, semantics: batch, batch: 8, shuffle: off}]");
  for (char c = 'a'; c <= 'j'; ++c)
    std::filesystem::rename(place / "images" / std::string(1, c) / "0.bmp",
                            place / "images" / (std::string(1, c) + ".bmp"));
  for (char c = 'a'; c <= 'j'; ++c) std::filesystem::remove_all(place / "images" / std::string(1, c));
  const Json json = run(place);
  CHECK(json.at("interval").is_null());  // no label, no score
  const auto& modes = json.at("modes").as_array();
  for (const std::size_t unmeasured : {0, 1}) {
    CHECK(modes[unmeasured].at("semantics").is_null());
    CHECK(modes[unmeasured].at("estimator").is_null());
  }
  CHECK(modes[2].at("semantics").as_string() == "layerwise");
  CHECK(modes[2].find("shuffle") == nullptr);
  CHECK(modes[3].at("shuffle").is_null());
  CHECK(modes[3].at("batch").as_integer() == 8);
}

TEST_CASE("records name the libraries that computed, also where the statistics came from elsewhere", "[cli]") {
  const test::Workplace place;
  place.write_yaml("x.yaml", "[source, adabn]", "export: {mode: adabn, path: a.safetensors}\n");
  const Json libraries = run(place).at("program").at("libraries");
  for (const char* name : {"oneDNN", "Highway", "OpenCV", "libjpeg-turbo", "DCMTK", "OpenJPEG"}) {
    INFO(name);
    CHECK(std::ranges::count(libraries.at(name).as_string(), '.') >= 2);
  }
  const Json provenance = json_at(place / "out/a.safetensors.provenance.json");
  CHECK(provenance.at("measured_with").at("libraries") == libraries);
  CHECK(provenance.at("measured_with").at("version") == provenance.at("version"));

  done(place, {"export", "net.safetensors", "--stats", "out/stats/adabn.bnstats", "--out", "b.safetensors"});
  CHECK(json_at(place / "b.safetensors.provenance.json").at("measured_with").at("libraries") == libraries);
  const Json shown = container::parse_json(done(place, {"stats", "show", "out/stats/adabn.bnstats", "--json"}).out);
  CHECK_THAT(shown.at("libraries").as_string(), Contains("oneDNN " + libraries.at("oneDNN").as_string()));
  // Nothing was measured.
  done(place,
       {"export", "net.safetensors", "--arch", "cifar_resnet20", "--policy", "disabled", "--out", "c.safetensors"});
  CHECK(json_at(place / "c.safetensors.provenance.json").at("measured_with").is_null());
}

TEST_CASE("an adapted file tells how its images were chosen and changed", "[cli]") {
  const test::Workplace place(4);
  place.write_yaml("x.yaml", "[source, adabn]", "export: {mode: adabn, path: a.safetensors}\n");
  const auto told = [&](const std::vector<std::string>& more) {
    run(place, more);
    Json provenance = json_at(place / "out/a.safetensors.provenance.json");
    const Json shown = container::parse_json(done(place, {"stats", "show", "out/stats/adabn.bnstats", "--json"}).out);
    CHECK(shown.at("drawn") == provenance.at("drawn"));
    CHECK(shown.at("shift") == provenance.at("shift"));
    std::filesystem::remove_all(place / "out");
    return provenance;
  };
  const Json all = told({});
  CHECK(all.at("drawn").is_null());
  CHECK(all.at("shift").is_null());
  CHECK(told({"--set", "data.target.limit={images: 20, seed: 5}"}).at("drawn").as_string() == "20 images, seed 5");
  CHECK(told({"--set", "data.target.limit={per_class: 2}"}).at("drawn").as_string() == "the first 2 of each class");
  CHECK(told({"--set", "protocol={kind: held_out, adapt: 0.5}"}).at("drawn").as_string() ==
        "a share of 0.5 held in by image, seed 3");
  const Json shifted = told({"--set", "data.target.shift={gaussian_noise: 3}"});
  CHECK(shifted.at("shift").as_string() == "gaussian_noise: 3; seed 3");
  CHECK(shifted.at("data_fingerprint") == all.at("data_fingerprint"));  // of the data as they lie there
}

// The rule is that of the authors' repository: decision 0050.
TEST_CASE("hybrid is understood, told of and recorded as what it is", "[cli]") {
  const test::Workplace place;
  const std::string note = "policy hybrid is now called hybrid-decay: it is the rule of the repository of Hybrid-TTN";
  const Call call = done(place, {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images",
                                 "--preprocess", "cifar10", "--policy", "hybrid", "--out", "a.safetensors"});
  CHECK_THAT(call.err, Contains(note));
  CHECK(json_at(place / "a.safetensors.provenance.json").at("method").at("policy").as_string() == "hybrid-decay");
  const Call now = done(place, {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images",
                                "--preprocess", "cifar10", "--policy", "hybrid-decay", "--out", "b.safetensors"});
  CHECK_THAT(now.err, !Contains("is now called"));
  CHECK(read_file(place / "a.safetensors") == read_file(place / "b.safetensors"));

  place.write_yaml("x.yaml", "[source, hybrid, {name: other, policy: hybrid}]");
  const Call run_call = done(place, {"run", "x.yaml", "--out", "out"});
  CHECK_THAT(run_call.err, Contains(note));
  CHECK(run_call.err.find(note) == run_call.err.rfind(note));  // said once
  const Json results = json_at(place / "out/results.json");
  CHECK(results.at("modes").as_array()[1].at("name").as_string() == "hybrid");
  for (const std::size_t m : {1, 2})
    CHECK(results.at("modes").as_array()[m].at("policy").as_string() == "hybrid-decay");
}
