#include <algorithm>
#include <catch2/catch.hpp>

#include "archive.hpp"
#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;

namespace {

double accuracy(const container::Json& results, const std::string& mode) {
  for (const container::Json& one : results.at("modes").as_array())
    if (one.at("name").as_string() == mode) return one.at("metrics").at("accuracy").at("value").as_number();
  FAIL("no mode " << mode);
  return 0;
}

/// What scripts/demo runs on one scanner.
container::Json demonstrate(const test::TempDir& dir, const std::string& manufacturer, const std::string& out) {
  const std::string config = (test::source_root() / "configs" / "phantom.yaml").string();
  const std::string archive = (dir.path() / "archive").string();
  const test::Call call = test::shiftnorm(
      dir.path(),
      {"run", config, "--set", "data.target.path=" + archive, "--set", "data.target.labels=" + archive + "/labels.csv",
       "--set", "data.target.where={Manufacturer: " + manufacturer + "}", "--set", "modes=[source, adabn]", "--set",
       "evaluate.interval.resamples=200", "--max-bad", "2", "--out", out});
  INFO(call.err);
  REQUIRE(call.exit == 0);
  return container::parse_json(as_text(read_file(dir.path() / out / "results.json")));
}

}  // namespace

// Oracle: the promise of the README; what write_archive() damages.
TEST_CASE("the demonstration: scanner B breaks the network, recalibration repairs it", "[cli]") {
  const test::TempDir dir;
  phantom::write_archive(dir.path() / "archive", {.patients = 32, .seed = 2026});
  const container::Json on_a = demonstrate(dir, "AlphaRay", "a"), on_b = demonstrate(dir, "BetaScan", "b");
  const double a = accuracy(on_a, "source"), b = accuracy(on_b, "source"), repaired = accuracy(on_b, "adabn");
  CHECK(a > 0.9);
  CHECK(b < a - 0.25);
  CHECK(repaired > b + 2.0 / 3 * (a - b));

  for (const char* file : {"report.html", "scanner_b.pth", "scanner_b.pth.provenance.json"})
    CHECK(std::filesystem::file_size(dir.path() / "b" / file) > 1000);
  const std::string quarantine(as_text(read_file(dir.path() / "b" / "quarantine.csv")));
  CHECK(std::ranges::count(quarantine, '\n') == 3);
  CHECK_THAT(quarantine,
             Catch::Matchers::Contains("\"truncated\",") && Catch::Matchers::Contains("\"corrupt-codestream\","));
}
