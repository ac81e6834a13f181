#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "../imaging/dicom_support.hpp"
#include "container/zip_builder.hpp"
#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using imaging::test::TinyObject;
using test::Call;

namespace {

namespace fs = std::filesystem;

constexpr const char* kSteps = "- {voi: bits}\n- {resize: [32, 32]}\n- {convert: RGB}\n- {to_float: {}}\n";

/// Ten images of five patients and two damaged files. Everything that could name a person, place or number is MARKER,
/// folders and file names too.
void put_archive(const fs::path& root) {
  fs::create_directories(root);
  for (int i = 0; i < 12; ++i) {
    std::vector<std::uint16_t> values;
    for (int p = 0; p < 256; ++p) values.push_back(static_cast<std::uint16_t>((p * 16 + i * 37) % 4096));
    TinyObject tiny(16, 16, values);
    const std::string uid = "1.2.777." + std::to_string(i);
    tiny.text(0x00080018, "UI", uid).text(0x0020000d, "UI", "1.2.777777.1").text(0x0020000e, "UI", "1.2.777777.2");
    tiny.text(0x00080080, "LO", "MARKER").text(0x00081010, "SH", "MARKER").text(0x00080050, "SH", "MARKER");
    tiny.text(0x00100010, "PN", "MARKER").text(0x00100020, "LO", "MARKER" + std::to_string(i % 5));
    tiny.text(0x00104000, "LT", "MARKER").text(0x00080020, "DA", "19770707").text(0x00100030, "DA", "19770707");
    std::vector<std::byte> bytes = tiny.bytes();
    if (i >= 10) bytes.resize(bytes.size() - 100);
    write_file(root / ("MARKER" + std::to_string(i)), bytes);
  }
}

void check_unmarked(const std::string& text) {
  for (const char* marker : {"MARKER", "1.2.777", "19770707"}) CHECK(text.find(marker) == std::string::npos);
}

}  // namespace

// Oracle: how the archive is made; the markers are what docs/reference/dicom.md#privacy forbids in outputs.
TEST_CASE("a DICOM archive recalibrates a checkpoint and leaves no identifier anywhere", "[cli]") {
  const test::Workplace place(0);
  put_archive(place / "archive" / "MARKER^FOLDER");
  write_file(place / "steps.yaml", kSteps);
  const std::vector<std::string> job{"net.safetensors", "--arch",      "cifar_resnet20", "--data", "archive",
                                     "--preprocess",    "steps.yaml",  "--max-bad",      "2",      "--quarantine",
                                     "bad.csv",         "--log-level", "debug",          "--json"};
  std::vector<std::string> recalibrate{"recalibrate", "--out",     "adapted.safetensors",
                                       "--stats-out", "s.bnstats", "--allow-small-cohort"};
  recalibrate.insert(recalibrate.end(), job.begin(), job.end());
  const Call call = test::shiftnorm(place.path(), recalibrate);
  INFO(call.err);
  CHECK(call.exit == 0);
  CHECK_THAT(call.out, Catch::Matchers::Contains("\"images\": 10") && Catch::Matchers::Contains("\"bad\": 2"));
  check_unmarked(call.out + call.err);

  std::vector<std::string> evaluate{"evaluate", "--predictions", "p.csv"};
  evaluate.insert(evaluate.end(), job.begin(), job.end());
  const Call scored = test::shiftnorm(place.path(), evaluate);
  CHECK(scored.exit == 0);
  check_unmarked(scored.out + scored.err);
  const Call inspected = test::shiftnorm(place.path(), {"inspect", "archive", "--pixels", "--json"});
  CHECK(inspected.exit == 0);
  CHECK_THAT(inspected.out, Catch::Matchers::Contains("\"patients\": 5"));
  check_unmarked(inspected.out + inspected.err);

  const std::string quarantine(as_text(read_file(place / "bad.csv")));
  CHECK(std::ranges::count(quarantine, '\n') == 3);
  CHECK_THAT(quarantine, Catch::Matchers::Contains("\"truncated\","));
  int files = 0;
  for (const auto& entry : fs::directory_iterator(place.path()))
    if (entry.is_regular_file()) {
      check_unmarked(std::string(as_text(read_file(entry.path()))));
      ++files;
    }
  CHECK(files >= 6);
}

// Oracle: the tags as they are written here; scores of known and unknown labels are the same as by a table.
TEST_CASE("an attribute of DICOM objects is their label", "[cli]") {
  const test::Workplace place(0);
  fs::create_directories(place / "archive");
  std::string table = "SOPInstanceUID,label\n";
  for (int i = 0; i < 12; ++i) {
    std::vector<std::uint16_t> values;
    for (int p = 0; p < 256; ++p) values.push_back(static_cast<std::uint16_t>((p * 16 + i * 37) % 4096));
    TinyObject tiny(16, 16, values);
    const std::string uid = fmt::format("1.2.777.{}", i), clinic = fmt::format("MARKER CLINIC {}", i % 3);
    tiny.text(0x00080018, "UI", uid).text(0x00100020, "LO", fmt::format("P{}", i)).text(0x00080080, "LO", clinic);
    write_file(place / "archive" / std::to_string(i), tiny.bytes());
    if (i % 3 < 2) table += fmt::format("{},c{}\n", uid, i % 3);
  }
  write_file(place / "labels.csv", table);
  write_file(place / "steps.yaml", kSteps);
  const auto evaluate = [&](std::vector<std::string> labels) {
    labels.insert(labels.begin(), {"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "archive",
                                   "--preprocess", "steps.yaml", "--predictions", "p.csv", "--log-level", "trace"});
    return test::shiftnorm(place.path(), labels);
  };
  write_file(place / "x.yaml",
             "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\n"
             "preprocess: [{voi: bits}, {resize: [32, 32]}, {convert: RGB}, {to_float: {}}]\n"
             "data: {classes: [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9], target: {path: archive}}\n"
             "modes: [source]\nevaluate: {metrics: [accuracy, nll], interval: {resamples: 100}}\n");
  const auto run = [&](const std::string& label, const std::string& out) {
    return test::shiftnorm(place.path(), {"run", "x.yaml", "--out", out, "--set", "data.target." + label, "--json"});
  };
  const Call by_tag = run("label={tag: InstitutionName, map: {marker clinic 0: c0, 'MARKER CLINIC 1': c1}}", "tag");
  const Call by_table = run("labels=labels.csv", "table");
  INFO(by_tag.err << by_table.err);
  REQUIRE(by_tag.exit == 0);
  REQUIRE(by_table.exit == 0);
  CHECK_THAT(by_tag.err, Catch::Matchers::Contains(
                             "InstitutionName: 8 images matched, 4 images without a label, 0 labels without"));
  const std::string predictions(as_text(read_file(place / "tag" / "predictions.csv")));
  CHECK_THAT(predictions, Catch::Matchers::Contains(",c0,source,") || Catch::Matchers::Contains(",0,source,"));
  CHECK(predictions == as_text(read_file(place / "table" / "predictions.csv")));

  // A network of ten outputs, and a map that names fewer classes.
  CHECK_THAT(evaluate({"--label-tag", "InstitutionName", "--label-map", "MARKER CLINIC 0=a,MARKER CLINIC 1=b"}).err,
             Catch::Matchers::Contains("2 classes (a, b); expected 10"));
  const Call scored =
      evaluate({"--label-tag", "InstitutionName", "--label-map", "MARKER CLINIC 0=0,MARKER CLINIC 1=9"});
  INFO(scored.err);
  CHECK(scored.exit == 0);
  check_unmarked(scored.out + scored.err + std::string(as_text(read_file(place / "p.csv"))));
  CHECK_THAT(scored.out, Catch::Matchers::Contains("accuracy"));
  test::check_refused(place, {"inspect", "archive", "--label-tag", "InstitutionName"}, 2, "expected a map");
  test::check_refused(place, {"inspect", "archive", "--label-map", "a=b"}, 2, "expected --label-tag");
  test::check_refused(place, {"inspect", "archive", "--label-tag", "Modality", "--label", "x"}, 2, "expected one");
  test::check_refused(place, {"inspect", "archive", "--label-tag", "Modality", "--label-map", "CR"}, 2, "VALUE=CLASS");
}

// Oracle: the archive as it is made: one image, and no marker in any output.
TEST_CASE("inspect takes one object for data, and masks whom it counts", "[cli]") {
  const test::Workplace place(0);
  put_archive(place / "archive");
  const Call one = test::shiftnorm(place.path(), {"inspect", "archive/MARKER1"});
  CHECK(one.exit == 0);
  CHECK_THAT(one.out, Catch::Matchers::StartsWith("DICOM data: 1 image, 0 bad"));
  check_unmarked(one.out + one.err);
  const Call by_patient = test::shiftnorm(place.path(), {"inspect", "archive", "--domain", "PatientID"});
  CHECK_THAT(by_patient.out, Catch::Matchers::Contains("domain-5"));
  check_unmarked(by_patient.out + by_patient.err);
}

// Law: what one command takes for data, the other does.
TEST_CASE("inspect reads the zip archives that evaluate reads", "[cli]") {
  const test::Workplace place(0);
  put_archive(place / "archive");
  test::ZipBuilder zip;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "MARKER" + std::to_string(i);
    zip.members.push_back({"MARKER/" + name, read_file(place / "archive" / name), i % 2 == 0});
  }
  zip.members.push_back({"__MACOSX/._MARKER.dcm", test::bytes_of("no object"), true});
  write_file(place / "cohort.zip", zip.build());
  fs::create_directories(place / "zips");
  write_file(place / "zips" / "cohort.ZIP", zip.build());
  for (const char* where : {"cohort.zip", "zips"}) {
    INFO(where);
    const Call inspected = test::shiftnorm(place.path(), {"inspect", where, "--json"});
    INFO(inspected.err);
    CHECK(inspected.exit == 0);
    CHECK_THAT(inspected.out, Catch::Matchers::Contains("\"images\": 3") && Catch::Matchers::Contains("\"bad\": 0"));
    check_unmarked(inspected.out + inspected.err);
    write_file(place / "steps.yaml", kSteps);
    const Call scored = test::shiftnorm(place.path(), {"evaluate", "net.safetensors", "--arch", "cifar_resnet20",
                                                       "--data", where, "--preprocess", "steps.yaml", "--json"});
    CHECK(scored.exit == 0);
    CHECK_THAT(scored.out, Catch::Matchers::Contains("\"images\": 3"));
  }
}

// Oracle: PS3.10 and how the object is changed here.
TEST_CASE("what is wrong with an object and does not matter is said", "[cli]") {
  const test::Workplace place(0);
  put_archive(place / "archive");
  std::vector<std::byte> bytes = read_file(place / "archive" / "MARKER1");
  bytes.resize(bytes.size() + 512);
  write_file(place / "padded", bytes);
  const Call inspected = test::shiftnorm(place.path(), {"inspect", "padded", "--pixels"});
  CHECK_THAT(inspected.out, Catch::Matchers::Contains("1 object: zeros after the data set") &&
                                Catch::Matchers::Contains("\n  zeros after the data set\n"));
  CHECK_THAT(test::shiftnorm(place.path(), {"inspect", "padded", "--pixels", "--json"}).out,
             Catch::Matchers::Contains("\"zeros after the data set\""));
  write_file(place / "steps.yaml", kSteps);
  CHECK_THAT(test::shiftnorm(place.path(), {"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data",
                                            "padded", "--preprocess", "steps.yaml"})
                 .err,
             Catch::Matchers::Contains("1 object: zeros after the data set"));
}

// Oracle: the archive as it is made.
TEST_CASE("attributes select DICOM objects on the command line", "[cli]") {
  const test::Workplace place(0);
  put_archive(place / "archive");
  write_file(place / "steps.yaml", kSteps);
  const auto with = [&](const std::string& filter) {
    return test::shiftnorm(place.path(), {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data",
                                          "archive", "--preprocess", "steps.yaml", "--max-bad", "2", "--where", filter,
                                          "--allow-small-cohort", "--out", "adapted.safetensors"});
  };
  CHECK(with("Modality=CR").exit == 0);
  CHECK(with("Modality=MR").exit == 3);
  CHECK(with("Modalitie=MR").exit == 2);
  CHECK(with("Modality").exit == 2);
}
