#include <fmt/format.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
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

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

/// `list.csv` of the workplace's images: image i is of patient p(i modulo patients).
void write_list(const test::Workplace& place, int patients) {
  std::string text = "path,label,patient,site\n";
  int i = 0;
  for (char c = 'a'; c <= 'j'; ++c)
    for (int k = 0; fs::exists(place / fmt::format("images/{}/{}.bmp", c, k)); ++k, ++i)
      text += fmt::format("images/{}/{}.bmp,{},p{},{}\n", c, k, c, i % patients, i % patients < 4 ? "few" : "many");
  write_file(place / "list.csv", text);
}

Strings job(const std::string& command, const Strings& more) {
  Strings arguments{command,  "net.safetensors", "--arch",       "cifar_resnet20",
                    "--data", "list.csv",        "--preprocess", "cifar10"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Json json_in(const fs::path& file) { return container::parse_json(as_text(read_file(file))); }

void check_done(const Call& call) {
  INFO(call.err);
  CHECK(call.exit == 0);
}

}  // namespace

// Oracle: docs/reference/dicom.md#privacy: 11 patients, by hand; no image counts twice.
TEST_CASE("a checkpoint from few patients is refused unless it is asked for", "[cli]") {
  const test::Workplace place;
  write_list(place, 10);
  // The key comes into being with the first look at the table.
  check_done(test::shiftnorm(place.path(), {"inspect", "list.csv"}));
  test::check_refused(place, job("recalibrate", {"--out", "a.safetensors", "--quiet"}), 2,
                      "10 patients; expected at least 11");
  check_done(test::shiftnorm(place.path(), job("recalibrate", {"--out", "a.safetensors", "--allow-small-cohort"})));
  const Json small = json_in(place / "a.safetensors.provenance.json");
  CHECK(small.at("patients").as_string() == "< 11");
  CHECK(small.at("cohort").as_string() == "small, allowed by the user");

  // A site may measure: its file carries the count, and what is exported from it obeys.
  check_done(test::shiftnorm(place.path(), job("recalibrate", {"--semantics", "source", "--stats-out", "s.bnstats"})));
  const Strings from_file{"export", "net.safetensors", "--stats", "s.bnstats", "--out", "b.safetensors"};
  test::check_refused(place, from_file, 2, "10 patients; expected at least 11");
  // Nobody counts twice.
  test::check_refused(place, {"stats", "merge", "s.bnstats", "s.bnstats", "--out", "twice.bnstats"}, 2,
                      "contains images that s.bnstats contains too");

  write_list(place, 11);
  check_done(test::shiftnorm(place.path(), job("recalibrate", {"--semantics", "source", "--stats-out", "t.bnstats",
                                                               "--out", "a.safetensors"})));
  const Json enough = json_in(place / "a.safetensors.provenance.json");
  CHECK(enough.at("patients").as_integer() == 11);
  CHECK(enough.at("cohort").as_string() == "sufficient");
  // The same images, however the table names them.
  test::check_refused(place, {"stats", "merge", "s.bnstats", "t.bnstats", "--out", "both.bnstats"}, 2,
                      "contains images that s.bnstats contains too");
  const Call few =
      test::shiftnorm(place.path(), {"export", "net.safetensors", "--stats", "t.bnstats", "--out", "c.pth"});
  CHECK_THAT(few.err, Contains("only 11 patients: the output may reveal individuals"));
  test::check_refused(place,
                      job("recalibrate", {"--domain", "site", "--show-domains", "--out", "a.safetensors", "--quiet"}),
                      2, "domain 'few': 4 patients; expected at least 11");
}

// Oracle: docs/reference/dicom.md#privacy: 11 patients, by hand.
TEST_CASE("a run exports from few patients only if its YAML says so", "[cli]") {
  const test::Workplace place;
  write_list(place, 10);
  place.write_yaml("x.yaml", "[source, adabn]", "export: {mode: adabn, path: adapted.safetensors}\n");
  check_done(test::shiftnorm(place.path(), {"inspect", "list.csv"}));
  test::check_refused(place, {"run", "x.yaml", "--quiet", "--set", "data.target.path=list.csv"}, 2,
                      "10 patients; expected at least 11");
  check_done(test::shiftnorm(place.path(), {"run", "x.yaml", "--set", "data.target.path=list.csv", "--set",
                                            "export.allow_small_cohort=true", "--out", "out"}));
  CHECK(json_in(place / "out/adapted.safetensors.provenance.json").at("patients").as_string() == "< 11");
  CHECK(json_in(place / "out/results.json").at("data").at("target").at("patients").as_integer() == 10);
  // What the network makes of no patients at all.
  check_done(test::shiftnorm(place.path(), {"run", "x.yaml", "--out", "plain"}));
  CHECK(json_in(place / "plain/adapted.safetensors.provenance.json").at("cohort").as_string() ==
        "not applicable: patients are not identified");
}

// Law: ids stand for paths in that list alone, which only its owner may read.
TEST_CASE("the list of what ids stand for is the owner's alone, and the only one", "[cli]") {
  const test::Workplace place(1);
  write_list(place, 10);
  place.write_yaml("x.yaml");
  const Call run = test::shiftnorm(
      place.path(), {"run", "x.yaml", "--set", "data.target.path=list.csv", "--out", "out", "--identify", "who.csv"});
  check_done(run);
  CHECK_THAT(run.err, Contains("who.csv: maps ids to paths"));
  struct stat facts {};
  REQUIRE(::stat((place / "who.csv").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const std::string list(as_text(read_file(place / "who.csv")));
  // Where nothing is left to compute it is written too.
  const Call resumed = test::shiftnorm(place.path(), {"run", "x.yaml", "--set", "data.target.path=list.csv", "--out",
                                                      "out", "--resume", "--identify", "later.csv"});
  check_done(resumed);
  CHECK_THAT(resumed.out, Contains("is already finished"));
  CHECK(as_text(read_file(place / "later.csv")) == list);
  REQUIRE(::stat((place / "later.csv").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK_THAT(list, Contains("images/a/0.bmp") && Contains("images/j/0.bmp"));
  const std::string predictions(as_text(read_file(place / "out/predictions.csv")));
  CHECK_THAT(predictions, !Contains(".bmp"));
  // The first line's id is that of the first image.
  const std::string first = predictions.substr(predictions.find('\n') + 1, 16);
  CHECK_THAT(list, Contains(first));
  for (const char* command : {"recalibrate", "evaluate"}) {
    Strings arguments = job(command, {"--identify", "again.csv"});
    if (std::string(command) == "recalibrate")
      arguments.insert(arguments.end(), {"--out", "a.safetensors", "--allow-small-cohort"});
    check_done(test::shiftnorm(place.path(), arguments));
    CHECK(read_file(place / "again.csv") == read_file(place / "who.csv"));
    fs::remove(place / "again.csv");
  }
}
