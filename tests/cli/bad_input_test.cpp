#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using test::Call;

namespace {

const std::vector<std::string> kJob = {"--data", "images", "--preprocess", "cifar10", "--out", "adapted.safetensors"};

std::vector<std::string> recalibrate(const std::string& checkpoint, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"recalibrate", checkpoint, "--quiet"};
  arguments.insert(arguments.end(), kJob.begin(), kJob.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

// Oracle: docs/reference/command-line.md#exit-codes, and the name that was given.
TEST_CASE("a missing checkpoint", "[cli]") {
  const test::Workplace place;
  test::check_refused(place, recalibrate("none.pth", {"--arch", "cifar_resnet20"}), 3, "none.pth");
}

// Oracle: docs/reference/command-line.md#exit-codes, and the name that was given.
TEST_CASE("a missing data set, a missing YAML", "[cli]") {
  const test::Workplace place;
  test::check_refused(place,
                      {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "nowhere",
                       "--preprocess", "cifar10", "--quiet", "--out", "x"},
                      3, "nowhere: no such file or folder");
  test::check_refused(place, {"run", "none.yaml"}, 3, "none.yaml");
}

// Oracle: the files as they are made here.
TEST_CASE("a run of bad images alone ends with exit 3 and counts the reasons", "[cli]") {
  const test::Workplace place;
  std::filesystem::create_directory(place / "bad");
  for (const char* name : {"a.jpg", "b.jpg", "c.jpg"}) write_file(place / "bad" / name, std::string("no image"));
  std::vector<std::byte> cut = read_file(place / "images" / "a" / "0.bmp");
  cut.resize(cut.size() / 2);
  write_file(place / "bad" / "d.bmp", cut);
  test::check_refused(place,
                      {"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "bad", "--preprocess",
                       "cifar10", "--quiet"},
                      3, "; 4 are bad (3 is not an image: its first bytes match no known format, 1 ");
}

// Oracle: docs/reference/command-line.md#exit-codes: 3 for a damaged file.
TEST_CASE("a truncated checkpoint", "[cli]") {
  const test::Workplace place;
  std::vector<std::byte> bytes = read_file(place / "net.safetensors");
  bytes.resize(bytes.size() / 2);
  write_file(place / "half.safetensors", bytes);
  test::check_refused(place, recalibrate("half.safetensors", {"--arch", "cifar_resnet20"}), 3, "half.safetensors");
}

// The classic attack, protocol 0: GLOBAL os.system, a tuple of one string, REDUCE. It would leave a file behind.
// Law: nothing in a file is executed.
TEST_CASE("a pickle that names os.system is refused by that name and runs nothing", "[cli]") {
  const test::Workplace place;
  write_file(place / "evil.pth", std::string_view("cos\nsystem\n(S'touch executed'\ntR."));
  test::check_refused(place, recalibrate("evil.pth", {"--arch", "cifar_resnet20"}), 3, "evil.pth");
  const Call call = test::shiftnorm(place.path(), recalibrate("evil.pth", {"--arch", "cifar_resnet20"}));
  CHECK_THAT(call.err, Catch::Matchers::Contains("os.system"));
  CHECK_FALSE(std::filesystem::exists(place / "executed"));
}

// Oracle: the architecture that wrote the file.
TEST_CASE("a wrong architecture, an unknown one, none", "[cli]") {
  const test::Workplace place;
  test::check_refused(place, recalibrate("net.safetensors", {"--arch", "cifar_resnet56"}), 3,
                      "does not fit the architecture");
  test::check_refused(place, recalibrate("net.safetensors", {"--arch", "resnet18"}), 3,
                      "does not fit the architecture");
  test::check_refused(place, recalibrate("net.safetensors", {"--arch", "cifar_resnet21"}), 2,
                      "nearest is 'cifar_resnet20'");
  test::check_refused(place, recalibrate("net.safetensors"), 2, "it fits cifar_resnet20");
}

// Oracle: docs/reference/command-line.md#exit-codes: 3.
TEST_CASE("a checkpoint without BatchNorm has nothing to recalibrate", "[cli]") {
  const test::Workplace place;
  write_file(place / "text.pth", "this is no checkpoint");
  test::check_refused(place, recalibrate("text.pth", {"--arch", "cifar_resnet20"}), 3, "text.pth");
}

// Oracle: docs/reference/command-line.md#exit-codes: one bad file alone never gives 4.
TEST_CASE("a text file renamed .jpg is left out, named and counted, and one alone never fails the run", "[cli]") {
  const test::Workplace place;
  write_file(place / "images" / "a" / "notes.jpg", "not an image\n");
  place.write_yaml("x.yaml");
  const Call call = test::shiftnorm(place.path(), {"run", "x.yaml", "--quiet", "--max-bad", "0"});
  CHECK(call.exit == 0);
  CHECK(std::ranges::count(call.err, '\n') == 1);
  CHECK_THAT(call.err, Catch::Matchers::Contains("warning: a/notes.jpg: "));
  const std::string quarantine(as_text(read_file(place / "runs" / "x" / "quarantine.csv")));
  CHECK(quarantine.starts_with("id,reason,offset\n\"a/notes.jpg\","));

  // A second one: 2 of 22 are more than 5 %. The outputs are written all the same.
  write_file(place / "images" / "b" / "more.png", "not an image either\n");
  const Call again = test::shiftnorm(place.path(), {"run", "x.yaml", "--quiet", "--out", "second"});
  CHECK(again.exit == 4);
  CHECK_THAT(again.err, Catch::Matchers::Contains("2 of 22 files were bad; expected at most 5%"));
  CHECK(std::filesystem::exists(place / "second" / "results.json"));
  CHECK(test::shiftnorm(place.path(), {"run", "x.yaml", "--quiet", "--max-bad", "2"}).exit == 0);
}

// Oracle: docs/reference/command-line.md#exit-codes: 3.
TEST_CASE("only text files renamed .jpg: no data set", "[cli]") {
  const test::Workplace place(0);
  write_file(place / "images" / "a" / "notes.jpg", "not an image\n");
  test::check_refused(place, recalibrate("net.safetensors", {"--arch", "cifar_resnet20"}), 3, "notes.jpg");
}

// Oracle: line and column counted by hand.
TEST_CASE("an unknown YAML key and a negative batch, in the YAML and on the command line", "[cli]") {
  const test::Workplace place;
  place.write_yaml("x.yaml", "[source]", "evaluat: {}\n");
  test::check_refused(place, {"run", "x.yaml"}, 2, "x.yaml:7:1: evaluat is not a key; nearest is 'evaluate'");
  place.write_yaml("y.yaml", "[{policy: adabn, semantics: batch, estimator: batch-mean, batch: -5}]");
  test::check_refused(place, {"run", "y.yaml"}, 2, "y.yaml:5:73: modes[0].batch = -5; expected an integer from 1");
  test::check_refused(place, recalibrate("net.safetensors", {"--arch", "cifar_resnet20", "--batch", "-5"}), 2,
                      "--batch = -5; expected an integer from 1");
}

// Oracle: docs/reference/command-line.md: what each option may go with.
TEST_CASE("refusals of the command line", "[cli]") {
  const test::Workplace place;
  const std::vector<std::string> arch{"--arch", "cifar_resnet20"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), arch.begin(), arch.end());
    return recalibrate("net.safetensors", more);
  };
  test::check_refused(place, with({"--policy", "batch"}), 2, "policy batch: its statistics change with every batch");
  test::check_refused(place, with({"--polcy", "adabn"}), 2, "--polcy is not an option (nearest is '--policy')");
  test::check_refused(place, with({"--domain", "scanner"}), 2, "the samples have no 'scanner'");
  test::check_refused(place, with({"--domain", "scanner", "--resume"}), 2, "--resume: continues one estimate");
  test::check_refused(place, with({"--domain", "scanner", "--max-images", "auto"}), 2,
                      "--max-images = auto: reads until");
  test::check_refused(place, with({"--threads", "0"}), 2, "--threads = 0; expected an integer from 1 to 1024");
  test::check_refused(place, with({"--memory", "lots"}), 2, "--memory = lots; expected a size such as 512M or 4G");
  test::check_refused(place, with({"--max-bad", "-1"}), 2,
                      "--max-bad = -1; expected a number of files, or a share such as 5%");
  test::check_refused(place, with({"--layers", "first=0"}), 2, "--layers: 'first=0'; expected first=N");
  test::check_refused(place, with({"--shuffle", "maybe"}), 2, "--shuffle = maybe; expected");
  test::check_refused(place, with({"--estimator", "batch-mean"}), 2, "--policy: ");
  test::check_refused(place, with({"--isa", "mmx"}), 2, "--isa: ");
  test::check_refused(place, with({"--log-format", "xml"}), 2, "--log-format = xml; expected text or json");
  test::check_refused(place,
                      {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images", "--out", "x"},
                      2, "images without a preprocessing; expected a preset (cifar10, ct-head-3windows,");
  test::check_refused(place, {"recalibrate", "net.safetensors", "--data", "images"}, 2, "--out: missing");
  test::check_refused(place, {"recalibrate", "net.safetensors", "--data", "images", "--out", "no/such/x"}, 2,
                      "its folder does not exist");
  test::check_refused(place, {"recalibrate"}, 2, "no CHECKPOINT; expected 'shiftnorm recalibrate CHECKPOINT");
  test::check_refused(place, {"recalibrat"}, 2, "recalibrat: is not a command (nearest is 'recalibrate')");
  test::check_refused(place, {}, 2, "no command");
  test::check_refused(place, {"run", "a.yaml", "b.yaml"}, 2, "'b.yaml' after 'a.yaml'; expected one CONFIG.yaml");
  test::check_refused(place, {"run", "a.yaml", "--seed"}, 2, "--seed is not an option");
  test::check_refused(place, {"run", "a.yaml", "--out"}, 2, "--out");
  test::check_refused(place, {"run", "a.yaml", "--out", "x", "--out", "y"}, 2,
                      "--out: given 2 times; expected it once");
}

// Writing renames over its target, so that a device would be replaced by a file.
// Law: what is there stays what it is.
TEST_CASE("an output that is not a regular file is refused and left alone", "[cli]") {
  const test::Workplace place;
  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);
  test::check_refused(place,
                      {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "images", "--preprocess",
                       "cifar10", "--quiet", "--out", "pipe"},
                      2, "--out = pipe: is not a regular file");
  CHECK(std::filesystem::is_fifo(place / "pipe"));
}

// Oracle: by hand: nine folders are left, the network has ten outputs.
TEST_CASE("classes that do not fit the network are refused before anything is written", "[cli]") {
  const test::Workplace place;
  std::filesystem::remove_all(place / "images" / "j");
  place.write_yaml("x.yaml");
  test::check_refused(place, {"run", "x.yaml", "--quiet"}, 2,
                      "images: 9 classes (a, b, c, d and 5 more); expected 10, as the network has outputs");
}
