#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "../imaging/dicom_support.hpp"
#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using imaging::test::TinyObject;
using test::Call;

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

// What names a person, a place, a date or a number in the objects, the tables and the paths of this test.
constexpr std::array<const char*, 4> kMarkers{"MARKER", "1.2.777", "19770707", "070707.7"};

struct TextTag {
  std::uint32_t tag;
  const char *vr, *value;
};
// docs/reference/dicom.md#privacy: the text elements of groups 0008, 0010, 0020, 0032, 0038, 0040, 4008, and what lies
// beside them: private elements, serial numbers, overlay and report text.
constexpr TextTag kTags[] = {
    {0x00080012, "DA", "19770707"},      {0x00080013, "TM", "070707.7"},     {0x00080014, "UI", "1.2.777.9"},
    {0x00080020, "DA", "19770707"},      {0x00080021, "DA", "19770707"},     {0x00080022, "DA", "19770707"},
    {0x00080023, "DA", "19770707"},      {0x00080030, "TM", "070707.7"},     {0x00080031, "TM", "070707.7"},
    {0x00080032, "TM", "070707.7"},      {0x00080033, "TM", "070707.7"},     {0x00080080, "LO", "MARKER CLINIC"},
    {0x00080081, "ST", "MARKER ROAD"},   {0x00080090, "PN", "MARKER^REF"},   {0x00080092, "ST", "MARKER"},
    {0x00080094, "SH", "MARKER"},        {0x00081010, "SH", "MARKERSTN"},    {0x00081030, "LO", "MARKER STUDY"},
    {0x0008103e, "LO", "MARKER SER"},    {0x00081040, "LO", "MARKER DEPT"},  {0x00081048, "PN", "MARKER^DOC"},
    {0x00081050, "PN", "MARKER^PHYS"},   {0x00081060, "PN", "MARKER^READ"},  {0x00081070, "PN", "MARKER^OP"},
    {0x00081080, "LO", "MARKER DIAG"},   {0x00082111, "ST", "MARKER DERI"},  {0x00100010, "PN", "MARKER^NAME"},
    {0x00100030, "DA", "19770707"},      {0x00100032, "TM", "070707.7"},     {0x00101000, "LO", "MARKER OTHER"},
    {0x00101001, "PN", "MARKER^OTHER"},  {0x00101005, "PN", "MARKER^BIRTH"}, {0x00101040, "LO", "MARKER STREET"},
    {0x00101060, "PN", "MARKER^MOTHER"}, {0x00102154, "SH", "MARKER-TEL"},   {0x00102160, "SH", "MARKER"},
    {0x00102180, "SH", "MARKER JOB"},    {0x001021b0, "LT", "MARKER HIST"},  {0x00104000, "LT", "MARKER COMM"},
    {0x00181000, "LO", "MARKER-SN"},     {0x00181030, "LO", "MARKER PROT"},  {0x00190010, "LO", "MARKER PRIV"},
    {0x00191001, "LO", "MARKER PRIV"},   {0x00200010, "SH", "MARKERSTUDY"},  {0x00200052, "UI", "1.2.777.8"},
    {0x00204000, "LT", "MARKER IMG"},    {0x00321032, "PN", "MARKER^REQ"},   {0x00321060, "LO", "MARKER PROC"},
    {0x00324000, "LT", "MARKER"},        {0x00380010, "LO", "MARKER ADM"},   {0x00380300, "LO", "MARKER BED"},
    {0x00380500, "LO", "MARKER STATE"},  {0x00400006, "PN", "MARKER^PERF"},  {0x00400244, "DA", "19770707"},
    {0x00400254, "LO", "MARKER STEP"},   {0x00402016, "LO", "MARKER ORDER"}, {0x0040a123, "PN", "MARKER^OBS"},
    {0x0040a160, "UT", "MARKER SR"},     {0x40080040, "SH", "MARKER RES"},   {0x4008010c, "PN", "MARKER^APPR"},
    {0x60000022, "LO", "MARKER OVL"},    {0x60001500, "LO", "MARKER LABEL"},
};

std::vector<std::uint16_t> pixels_of(int i) {
  std::vector<std::uint16_t> values;
  for (int p = 0; p < 256; ++p) values.push_back(static_cast<std::uint16_t>((p * 16 + i * 37) % 4096));
  return values;
}

/// 24 images of twelve patients, two damaged files, and tables that label them.
void put_archive(const test::Workplace& place) {
  const fs::path root = place / "MARKER^ARCHIVE" / "MARKER^FOLDER";
  fs::create_directories(root);
  std::string labels = "AccessionNumber,label,finding,other,scanner,remark\n";
  for (int i = 0; i < 26; ++i) {
    TinyObject tiny(16, 16, pixels_of(i));
    for (const TextTag& tag : kTags) tiny.text(tag.tag, tag.vr, tag.value);
    tiny.text(0x00080018, "UI", fmt::format("1.2.777.1.{}", i)).text(0x0020000d, "UI", fmt::format("1.2.777.2.{}", i));
    tiny.text(0x0020000e, "UI", fmt::format("1.2.777.3.{}", i)).text(0x00080050, "SH", fmt::format("MARKERACC{}", i));
    tiny.text(0x00100020, "LO", fmt::format("MARKERID{}", i % 12)).text(0x00100021, "LO", "MARKERISSUER");
    tiny.text(0x00080080, "LO", i % 2 == 0 ? "MARKER CLINIC" : "MARKER HOSPITAL");
    std::vector<std::byte> bytes = tiny.bytes();
    if (i >= 24) bytes.resize(bytes.size() - 100);
    write_file(root / fmt::format("MARKER{}", i), bytes);
    labels +=
        fmt::format("MARKERACC{},c{},{},{},{},MARKER REMARK\n", i, i % 10, i % 2, i % 3 - 1, i % 2 == 0 ? "x" : "y");
  }
  write_file(place / "MARKER^LABELS.csv", labels);
  write_file(place / "MARKER-AMBIGUOUS.csv", "PatientID,label\nMARKERID1,a\nMARKERID1,b\n");
  write_file(place / "MARKER-FOREIGN.csv", "AccessionNumber,label\nMARKERACC1,c1\nmarkeracc2,c2\n");
  write_file(place / "steps.yaml", "- {voi: bits}\n- {resize: [32, 32]}\n- {convert: RGB}\n- {to_float: {}}\n");
}

void check_unmarked(const std::string& where, const std::string& text) {
  for (const char* marker : kMarkers) {
    INFO(where << " " << marker);
    CHECK(text.find(marker) == std::string::npos);
  }
}

/// Every file below the workplace that the program wrote. What the project keeps for itself is its owner's alone.
void check_files(const test::Workplace& place, const Strings& ours) {
  for (const std::string& file : test::files_below(place.path())) {
    const fs::path path = place / file;
    if (!fs::is_regular_file(path) || file.starts_with("MARKER^ARCHIVE/") || file.starts_with("pictures/")) continue;
    if (std::ranges::find(ours, file) != ours.end()) continue;
    if (file.starts_with(".shiftnorm/")) {
      CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
      continue;
    }
    check_unmarked(file, file);
    check_unmarked(file, std::string(as_text(read_file(path))));
  }
}

class Caller {
 public:
  explicit Caller(const test::Workplace& place) : place_(place) {}
  void operator()(Strings arguments, int exit = 0) const {
    const std::string name = fmt::format("{}", fmt::join(arguments, " "));
    INFO(name);
    arguments.insert(arguments.end(), {"--log-level", "trace"});
    const Call call = test::shiftnorm(place_.path(), arguments);
    INFO(call.err);
    CHECK(call.exit == exit);
    check_unmarked(name, call.out);
    check_unmarked(name, call.err);
  }

 private:
  const test::Workplace& place_;
};

Strings with(const Strings& first, const Strings& more) {
  Strings all = first;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

constexpr const char* kYaml =
    "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\n"
    "preprocess: [{voi: bits}, {resize: [32, 32]}, {convert: RGB}, {to_float: {}}]\n"
    "data: {target: {path: MARKER^ARCHIVE, labels: MARKER^LABELS.csv, label: label}}\n"
    "modes: [source, adabn, {policy: batch, batch: 4}]\n"
    "evaluate: {metrics: [accuracy], subgroups: [InstitutionName, StationName, Modality], "
    "interval: {resamples: 100}}\n";

}  // namespace

// Oracle: how the archive is made; the markers are what docs/reference/dicom.md#privacy forbids in outputs.
TEST_CASE("no command writes or prints what names a person, a place or a date", "[cli]") {
  const test::Workplace place(0);
  put_archive(place);
  const Caller call(place);
  const Strings job{"net.safetensors", "--arch",     "cifar_resnet20", "--data", "MARKER^ARCHIVE",
                    "--preprocess",    "steps.yaml", "--max-bad",      "10",     "--quarantine",
                    "bad.csv"};
  const Strings labels{"--labels", "MARKER^LABELS.csv", "--key", "AccessionNumber"};

  call({"inspect", "MARKER^ARCHIVE"});
  call(with({"inspect", "MARKER^ARCHIVE", "--pixels", "--json"}, labels));
  call(with(with({"recalibrate"}, job),
            {"--out", "a.safetensors", "--semantics", "source", "--stats-out", "a.bnstats"}));
  call(with(with({"recalibrate"}, job), {"--where", "AccessionNumber=MARKERACC1,MARKERACC2", "--out", "b.safetensors",
                                         "--allow-small-cohort", "--semantics", "source", "--stats-out", "b.bnstats"}));
  call(with(with({"recalibrate"}, job), {"--domain", "InstitutionName", "--domain-min-images", "2", "--out",
                                         "c.safetensors", "--allow-small-cohort"}));
  call(with(with(with({"evaluate"}, job), labels),
            {"--label", "label", "--predictions", "p.csv", "--outputs", "o.safetensors", "--json"}));
  call({"stats", "show", "a.bnstats"});
  call({"stats", "show", "a.bnstats", "--json"});
  call({"stats", "diff", "a.bnstats", "b.bnstats"});
  call({"stats", "merge", "a.bnstats", "b.bnstats", "--out", "m.bnstats"});
  call({"export", "net.safetensors", "--stats", "m.bnstats", "--out", "e.onnx"});
  call({"inspect", "e.onnx"});
  call({"inspect", "m.bnstats"});

  // Runs under every protocol, with all that a run can write.
  write_file(place / "x.yaml", kYaml);
  const Strings exported{"--set", "export.mode=adabn", "--set", "export.path=adapted.safetensors", "--max-bad", "10"};
  call(with({"run", "x.yaml", "--out", "run1", "--json"}, exported));
  call(with({"run", "x.yaml", "--out", "run2", "--allow-small-cohort", "--set", "protocol.kind=held_out"}, exported));
  call(with({"run", "x.yaml", "--out", "run3", "--log-format", "json", "--set", "protocol.kind=streaming", "--set",
             "protocol.batch=8"},
            exported));
  call(with({"run", "x.yaml", "--out", "run4", "--allow-small-cohort", "--set", "data.target.domain=InstitutionName"},
            exported));

  call(with({"run", "x.yaml", "--out", "run6", "--store", "runs.sqlite", "--set",
             "data.target.where={InstitutionName: [MARKER CLINIC], PatientID: [MARKERID2, MARKERID4]}", "--set",
             "data.source={path: MARKER^ARCHIVE}", "--max-bad", "10"},
            {}));
  call(with({"run", "x.yaml", "--out", "run7", "--set",
             "data.target={path: MARKER^ARCHIVE, label: {tag: InstitutionName, "
             "map: {MARKER CLINIC: c1, MARKER HOSPITAL: c2}}}",
             "--set", "data.classes=[c0, c1, c2, c3, c4, c5, c6, c7, c8, c9]", "--max-bad", "10"},
            {}));
  call(with({"run", "x.yaml", "--out", "sweep1", "--store", "runs.sqlite", "--set",
             "sweep={data.target.where: [{InstitutionName: MARKER CLINIC}, {InstitutionName: MARKER HOSPITAL}]}",
             "--set", "modes=[source]"},
            {"--max-bad", "10"}));
  call(with({"run", "x.yaml", "--out", "sweep2", "--json", "--set", "sweep={data.target.path: [MARKER^ARCHIVE]}",
             "--set", "modes=[source]"},
            {"--max-bad", "10"}));
  call({"results", "--store", "runs.sqlite"});
  call({"results", "--store", "runs.sqlite", "--format", "json"});
  const std::string kept(as_text(read_file(place / "run7/config.yaml")));
  CHECK_THAT(kept, Catch::Matchers::Contains("path: kept-back") && Catch::Matchers::Contains("kept-back-2: c2"));
  // The whole configuration, which the project keeps, runs again and finds the project's key.
  const std::size_t at = kept.find(".shiftnorm/runs/");
  const std::string whole = kept.substr(at, kept.find(' ', at) - at);
  call({"run", whole, "--out", "again", "--max-bad", "10"});
  CHECK(read_file(place / "again/predictions.csv") == read_file(place / "run7/predictions.csv"));
  call({"run", whole, "--out", "again", "--max-bad", "10", "--resume"});
  call({"run", "x.yaml", "--out", "run8", "--set", "data.target.where={PatientID: [MARKERID77]}"}, 3);

  // Errors must not reveal anything either.
  call(with({"inspect", "MARKER^ARCHIVE", "--labels", "MARKER-AMBIGUOUS.csv"}, {}), 3);
  call(with(with({"evaluate"}, job), {"--labels", "MARKER-FOREIGN.csv", "--key", "AccessionNumber"}), 2);
  call(with(with({"recalibrate"}, job), {"--where", "PatientID=MARKERID99", "--out", "n.safetensors"}), 3);
  call({"run", "x.yaml", "--out", "run8", "--set", "data.target.labels=MARKER-NONE.csv"}, 3);
  call({"run", "x.yaml", "--out", "run8", "--set", "data.classes=[a, b]"}, 2);
  call({"evaluate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "MARKER^ARCHIVE", "--label-tag",
        "InstitutionName", "--label-map", "MARKER CLINIC=a", "--preprocess", "steps.yaml"},
       2);
  call({"run", "x.yaml", "--out", "run5", "--set", "protocol.kind=held_out", "--set", "protocol.by=image"}, 2);
  check_files(place, {"x.yaml", "MARKER^LABELS.csv", "MARKER-AMBIGUOUS.csv", "MARKER-FOREIGN.csv"});
}

// Law: no marker of the table leaves, in any output of any command.
TEST_CASE("a table that names patients has its paths and patients kept back", "[cli]") {
  const test::Workplace place(0);
  std::string list = "path,label,patient,institution\n";
  for (int i = 0; i < 24; ++i) {
    const std::string path = fmt::format("pictures/MARKER^FOLDER/MARKER{}.bmp", i);
    fs::create_directories((place / path).parent_path());
    test::write_bmp(place / path, 32, 32, static_cast<unsigned>(i));
    list += fmt::format("{},c{},MARKERID{},MARKER {}\n", path, i % 10, i % 12, i % 2 == 0 ? "CLINIC" : "HOSPITAL");
  }
  write_file(place / "pictures/MARKER^FOLDER/MARKER24.bmp", "BM");
  list += "pictures/MARKER^FOLDER/MARKER24.bmp,c1,MARKERID3,MARKER\npictures/MARKER^NONE.bmp,c1,MARKERID4,MARKER\n";
  write_file(place / "MARKER^LIST.csv", list);
  const Caller call(place);
  const Strings job{"net.safetensors", "--arch",  "cifar_resnet20", "--data", "MARKER^LIST.csv",
                    "--preprocess",    "cifar10", "--max-bad",      "10",     "--quarantine",
                    "bad.csv"};
  call({"inspect", "MARKER^LIST.csv", "--pixels"});
  call({"inspect", "MARKER^LIST.csv", "--pixels", "--json"});
  call(with(with({"recalibrate"}, job), {"--out", "a.safetensors", "--stats-out", "a.bnstats", "--json"}));
  call(with(with({"recalibrate"}, job),
            {"--domain", "institution", "--domain-min-images", "2", "--out", "c.safetensors", "--allow-small-cohort"}));
  call(with(with({"evaluate"}, job), {"--mode", "adabn", "--predictions", "p.csv", "--outputs", "o.safetensors"}));
  write_file(place / "x.yaml",
             "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
             "data: {target: {path: MARKER^LIST.csv}}\nmodes: [source, adabn]\n"
             "evaluate: {metrics: [accuracy], subgroups: [institution], interval: {resamples: 100}}\n"
             "export: {mode: adabn, path: adapted.safetensors}\n");
  call({"run", "x.yaml", "--out", "run1", "--max-bad", "10"});
  call(
      {"run", "x.yaml", "--out", "run2", "--max-bad", "10", "--allow-small-cohort", "--set", "protocol.kind=held_out"});
  check_files(place, {"x.yaml", "MARKER^LIST.csv"});
}
