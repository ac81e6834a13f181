#include "shiftnorm/config/sweep.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using Catch::Matchers::Equals;

namespace {

const std::string kBase =
    "name: x\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
    "data: {target: {path: images.npy}}\nmodes: [source, {policy: blend, prior_images: 16}]\n";

config::Sweep parsed(const std::string& sweep) { return config::parse_sweep(kBase + sweep, "x.yaml", {}); }

void check_error(const std::string& sweep, const std::string& message) {
  INFO(sweep);
  CHECK_THROWS_AS(parsed(sweep), ConfigError);
  CHECK_THROWS_WITH(parsed(sweep), Equals(message));
}

}  // namespace

// Oracle: the product written out by hand.
TEST_CASE("a sweep is the product of its lists, the last key fastest", "[experiment]") {
  const config::Sweep sweep =
      parsed("sweep: {data.target.shift: [{contrast: 2}, {fog: 5}], seed: [1, 2], modes.1.prior_images: [4]}\n");
  CHECK(sweep.name == "x");
  CHECK(sweep.keys == std::vector<std::string>{"data.target.shift", "seed", "modes.1.prior_images"});
  REQUIRE(sweep.runs.size() == 4);
  CHECK(sweep.runs[0].values == std::vector<std::string>{"contrast: 2", "1", "4"});
  CHECK(sweep.runs[1].config.seed == 2);
  CHECK(sweep.runs[1].config.target.shifts == std::vector<imaging::Shift>{{"contrast", 2}});
  CHECK(sweep.runs[2].config.target.shifts == std::vector<imaging::Shift>{{"fog", 5}});
  CHECK(sweep.runs[3].readable == "fog-5_seed-2_prior_images-4");
  CHECK(*sweep.runs[3].config.modes[1].prior_images == 4);
  CHECK(parsed("").runs.size() == 1);
  CHECK(parsed("").keys.empty());
}

// Oracle: the map of the text; a path's last part is all that a name may hold.
TEST_CASE("maps in a sweep change several keys together, and folders stay out of names", "[experiment]") {
  const config::Sweep sweep =
      parsed("sweep: {model: [{checkpoint: /home/someone/a.th, architecture: cifar_resnet56}]}\n");
  REQUIRE(sweep.runs.size() == 1);
  CHECK(sweep.runs[0].config.model.architecture == "cifar_resnet56");
  CHECK(sweep.runs[0].config.model.checkpoint == "/home/someone/a.th");
  CHECK(sweep.runs[0].values[0] == "checkpoint: a.th, architecture: cifar_resnet56");
}

// Law: nothing of a name in the text appears in a value or a folder (docs/reference/dicom.md#privacy).
TEST_CASE("what may name patients stays out of a sweep's words", "[experiment]") {
  const test::TempDir dir;
  std::ofstream(dir.path() / "Jane.csv") << "path,label,patient\n";
  const auto words = [&](const std::string& lists) {
    const config::Sweep sweep = config::parse_sweep(kBase + "sweep: {" + lists + "}\n", "x.yaml", {dir.path(), {}});
    return sweep.runs.back().values[0] + " / " + sweep.runs.back().readable;
  };
  CHECK(words("data.target.path: [images.npy, Jane.csv]") == "data-2 / path-data-2");
  CHECK(words("data.target: [{path: Jane.csv, labels: Jane2.csv, where: {Modality: CR, PatientID: [Jane, Joe]}}]") ==
        "path: data-1, labels: labels-1, where: Modality: CR, PatientID: domain-1, domain-1 / "
        "path-data-1-labels-labels-1-where-Modality-CR-PatientID-domain-1-domain-1");
  CHECK(words("data.target.where.site: [Jane]") == "domain-1 / site-domain-1");
  CHECK(words("data.target.where.scanner: [x]") == "x / scanner-x");
  CHECK(words("data.target.label: [{tag: InstitutionName, map: {Jane: a, Joe: b}}]") ==
        "tag: InstitutionName, map: a, b / tag-InstitutionName-map-a-b");
  CHECK(words("data.target.path: [a/images.npy]") == "images.npy / path-images.npy");
}

// Oracle: the product written out by hand: 3 shifts, 2 seeds, one limit, the last key changing fastest.
TEST_CASE("What a sweep varies is changed by --set with its key path", "[experiment]") {
  const config::Sweep sweep = config::parse_sweep(
      kBase + "sweep: {data.target.shift: [{fog: 1}], seed: [1, 2]}\n", "x.yaml",
      {{}, {"sweep.data.target.shift=[{}, {contrast: 2}, {contrast: 3}]", "sweep.data.target.limit.images=[5]"}});
  CHECK(sweep.keys == std::vector<std::string>{"data.target.shift", "seed", "data.target.limit.images"});
  REQUIRE(sweep.runs.size() == 6);
  CHECK(sweep.runs[0].config.target.shifts.empty());
  CHECK(sweep.runs[0].values[0] == "none");
  CHECK(sweep.runs[4].config.target.shifts == std::vector<imaging::Shift>{{"contrast", 3}});
}

// Oracle: lines and columns counted by hand; 101 x 101 runs are more than 10 000.
TEST_CASE("every run of a sweep is checked before any is started", "[experiment]") {
  check_error("sweep: {sead: [1]}\n", "x.yaml:6:9: sead is not a key; nearest is 'seed'");
  check_error("sweep: {seed: [1, no]}\n", "x.yaml:6:19: seed = no; expected an integer of at least 0");
  check_error("sweep: {data.target.shift: [{fog: 6}]}\n",
              "x.yaml:6:35: data.target.shift.fog = 6; expected an integer from 1 to 5");
  check_error("sweep: {seed: 3}\n", "x.yaml:6:15: sweep.seed = 3; expected a list of one or more");
  check_error("sweep: {seed: []}\n", "x.yaml:6:15: sweep.seed = a list; expected a list of one or more");
  check_error("sweep: [1]\n", "x.yaml:6:8: sweep = a list; expected keys with lists, e.g. seed: [1, 2]");
  check_error("sweep: {name: [a, b]}\n",
              "x.yaml:6:9: sweep.name: does not change what a run finds out; expected another key");
  check_error("sweep: {data.target: [{path: a}], data.target.shift: [{fog: 1}]}\n",
              "x.yaml:6:35: sweep.data.target.shift: "
              "one of it and data.target is inside the other; expected one of them");
  check_error("sweep: {modes.7.batch: [4]}\n", "x.yaml:6:9: '7' indexes a list of 2; expected a number from 0 to 1");
  std::string many = "sweep: {seed: [0";
  for (int i = 1; i < 101; ++i) many += fmt::format(", {}", i);
  many += "], data.target.limit.images: [1";
  for (int i = 2; i < 102; ++i) many += fmt::format(", {}", i);
  CHECK_THROWS_WITH(parsed(many + "]}\n"), Catch::Matchers::Contains("more than 10000 runs"));
}
