#include <catch2/catch.hpp>
#include <filesystem>

#include "label_join.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/project_key.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "support.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using shiftnorm::test::TempDir;

namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

/// set/{a,b}/{1,2}.bmp and set/c/3.bmp.
struct Folder {
  TempDir dir;
  Folder() {
    for (const char* file : {"a/1.bmp", "a/2.bmp", "b/1.bmp", "b/2.bmp", "c/3.bmp"})
      put(dir.path() / "set" / file, flat_bmp(2, 2, 9));
  }
  [[nodiscard]] fs::path table(std::string_view text, const char* name = "labels.csv") const {
    put(dir.path() / name, text);
    return dir.path() / name;
  }
  [[nodiscard]] std::unique_ptr<Dataset> open(DatasetOptions options, std::string_view text) const {
    options.labels.file = table(text);
    return open_dataset((dir.path() / "set").string(), options);
  }
};

Strings ids(const Dataset& data) {
  Strings out;
  for (const Sample& sample : data.samples()) out.push_back(sample.id);
  return out;
}

Strings paths(const Dataset& data) {
  Strings out;
  for (std::size_t i = 0; i < data.samples().size(); ++i) out.push_back(data.path(i));
  return out;
}

std::vector<std::int32_t> labels(const Dataset& data) {
  std::vector<std::int32_t> out;
  for (const Sample& sample : data.samples()) out.push_back(sample.label);
  return out;
}

/// A table and samples that are known by an accession number, of one patient each.
Join joined(std::string_view text, const std::vector<Sample>& samples, const Strings& key = {}) {
  const TempDir dir;
  put(dir.path() / "t.csv", text);
  Table table = read_table(dir.path() / "t.csv", {});
  find_key(table, key, {"PatientID", "StudyDate", "AccessionNumber"});
  return join_table(table, samples, {});
}

Sample study(const char* id, const char* patient, const char* date, const char* accession) {
  Sample sample{id};
  sample.patient = patient;
  sample.keys = {{"PatientID", patient}, {"StudyDate", date}, {"AccessionNumber", accession}};
  return sample;
}

}  // namespace

TEST_CASE("A table of labels beside a folder", "[imaging]") {
  const Folder folder;
  const auto data = folder.open({},
                                "\xef\xbb\xbfpath;label;scanner\r\n a/2.bmp ;sick;B\r\nb/1.bmp;well;A\r\n"
                                "./a/1.bmp;well;A\r\nb/2.bmp;;A\r\nz.bmp;sick;A\r\n");
  CHECK(ids(*data) == Strings{"a/1.bmp", "a/2.bmp", "b/1.bmp", "b/2.bmp", "c/3.bmp"});
  CHECK(data->classes() == Strings{"sick", "well"});
  CHECK(labels(*data) == std::vector<std::int32_t>{1, 0, 1, -1, -1});
  const LabelCounts* counts = data->label_counts();
  REQUIRE(counts != nullptr);
  CHECK(counts->file == "labels.csv");
  CHECK(counts->matched == 3);
  CHECK(counts->images_without_label == 2);
  CHECK(counts->labels_without_image == 1);
  CHECK(counts->ambiguous == 0);
  CHECK(data->samples()[0].attributes.empty());
  // Labels are no part of what provenance records.
  CHECK(data->fingerprint() == open_dataset((folder.dir.path() / "set").string(), {})->fingerprint());
}

TEST_CASE("Extra columns, patients, where and limit", "[imaging]") {
  const Folder folder;
  const char* text =
      "path,finding,scanner,patient\na/1.bmp,x,A,p1\na/2.bmp,x,B,p1\nb/1.bmp,y,B,p2\nb/2.bmp,y,B,p3\nc/3.bmp,x,C,\n";
  DatasetOptions options;
  options.labels.label = "finding";
  options.key_folder = folder.dir.path();
  options.keep = {"scanner"};
  options.where = {{"scanner", {"B", "C"}}};
  const auto data = folder.open(options, text);
  CHECK(paths(*data) == Strings{"a/2.bmp", "b/1.bmp", "b/2.bmp", "c/3.bmp"});
  CHECK(labels(*data) == std::vector<std::int32_t>{0, 1, 1, 0});
  CHECK(data->samples()[0].attributes == std::map<std::string, std::string>{{"scanner", "B"}});
  // Whoever has the key can tell ids and patients again, and nobody else.
  const ProjectKey key(folder.dir.path());
  CHECK(data->samples()[0].id == key.id("file", "a/2.bmp"));
  CHECK(data->samples()[0].patient == key.id("patient", std::string("\0p1", 3)));
  CHECK(data->samples()[1].patient == key.id("patient", std::string("\0p2", 3)));
  CHECK(data->samples()[3].patient.empty());
  CHECK(data->decode(3).height == 2);
  CHECK(data->selection_notes() ==
        Strings{"1 images without a patient in the table; they count as one", "4 of 5 samples are chosen by scanner"});

  options.limit.per_class = 1;
  CHECK(paths(*folder.open(options, text)) == Strings{"a/2.bmp", "b/1.bmp"});
  options.where = {{"scanner", {"D"}}};
  CHECK_THAT(error_of<FormatError>([&] { return folder.open(options, text); }),
             Contains("none of 5 samples has the values asked for of scanner"));
  options.where = {{"scaner", {"D"}}};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }),
             Contains("the samples have no 'scaner'; nearest is 'scanner'"));
}

TEST_CASE("What images are called: their path, or a keyed hash of it", "[imaging]") {
  const Folder folder;
  DatasetOptions options;
  options.key_folder = folder.dir.path() / "project";
  const std::string where = (folder.dir.path() / "set").string();
  CHECK(open_dataset(where, options)->samples()[0].id == "a/1.bmp");
  CHECK_FALSE(fs::exists(options.key_folder));
  options.ids = Ids::hash;
  const auto hashed = open_dataset(where, options);
  CHECK(hashed->samples()[0].id == ProjectKey(options.key_folder).id("file", "a/1.bmp"));
  CHECK(hashed->path(0) == "a/1.bmp");
  CHECK(hashed->fingerprint() == open_dataset(where, {})->fingerprint());
  options.ids = Ids::path;
  CHECK(open_dataset(where, options)->samples()[0].id == "a/1.bmp");
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, "path,patient\na/1.bmp,p\n"); }),
             Contains("ids = path: the data tell patients"));
}

// Oracle: how the files are made.
TEST_CASE("Samples of the same values are told, whatever file they came in", "[imaging]") {
  const TempDir dir;
  const auto bmp = [](std::byte first) {
    std::vector<std::byte> bytes = flat_bmp(2, 2, 9);
    bytes[54] = first;
    return bytes;
  };
  put(dir.path() / "a.bmp", bmp(std::byte{1}));
  put(dir.path() / "b.bmp", bmp(std::byte{1}));
  put(dir.path() / "c.bmp", bmp(std::byte{2}));
  put(dir.path() / "flat.bmp", flat_bmp(2, 2, 9));
  const auto data = open_dataset(dir.path().string(), {});
  CHECK(data->content(0) == data->content(1));
  CHECK(data->content(0) != data->content(2));
  CHECK_FALSE(data->content(0).empty());
  CHECK(data->content(3).empty());
}

TEST_CASE("Classes of a table: given, numbers, or sorted names", "[imaging]") {
  const Folder folder;
  CHECK(folder.open({}, "path,label\na/1.bmp,10\na/2.bmp,9\nb/1.bmp,0\n")->classes().size() == 11);
  CHECK(labels(*folder.open({}, "path,label\na/1.bmp,10\na/2.bmp,9\n"))[0] == 10);
  // A zero in front: a name, not a number.
  CHECK(folder.open({}, "path,label\na/1.bmp,010\na/2.bmp,9\n")->classes() == Strings{"010", "9"});
  DatasetOptions given;
  given.classes = {"well", "sick", "never"};
  CHECK(labels(*folder.open(given, "path,label\na/1.bmp,sick\n"))[0] == 1);
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(given, "path,label\na/1.bmp,ill\n"); }),
             Contains("labels.csv: label 'ill' is none of the classes; expected one of well, sick, never"));
  // A table without labels leaves those of the folders, and the classes are theirs.
  given.classes = {"c", "b", "a"};
  const auto folders = folder.open(given, "path,scanner\na/1.bmp,A\n");
  CHECK(labels(*folders) == std::vector<std::int32_t>{2, 2, 1, 1, 0});
  CHECK(folders->selection_notes() == Strings{"labels.csv: has no column 'label', and none was named"});
}

TEST_CASE("A table that is the data set", "[imaging]") {
  const Folder folder;
  const std::string where =
      folder.table("path,label,site\nset/b/2.bmp,y,one\nset/a/1.bmp,x,two\nset/none.bmp,x,two\nset/b/2.bmp,y,one\n")
          .string();
  DatasetOptions options;
  options.keep = {"site"};
  const auto data = open_dataset(where, options);
  CHECK(ids(*data) == Strings{"set/b/2.bmp", "set/a/1.bmp", "set/none.bmp"});
  CHECK(labels(*data) == std::vector<std::int32_t>{1, 0, 0});
  CHECK(data->samples()[1].attributes.at("site") == "two");
  CHECK(data->label_counts()->matched == 3);
  CHECK(data->images());
  CHECK(data->decode(1).width == 2);
  CHECK(error_of<FormatError>([&] { return data->decode(2); }) == "no such file");

  // Labels of another table, over the first one's.
  options.labels.file = folder.table("id\tlabel\nset/a/1.bmp\tz\n", "other.tsv");
  const auto other = open_dataset(where, options);
  CHECK(other->classes() == Strings{"z"});
  CHECK(labels(*other) == std::vector<std::int32_t>{-1, 0, -1});
  CHECK(other->samples()[1].attributes.at("site") == "two");

  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(folder.table("file,label\nx,y\n").string(), {}); }),
             Contains("labels.csv: no column 'path'"));
  CHECK_THAT(error_of<FormatError>([&] { return open_dataset(folder.table("path,label\n").string(), {}); }),
             Contains("labels.csv: names no image"));
}

TEST_CASE("Labels that cannot be relied on are refused", "[imaging]") {
  const Folder folder;
  CHECK(error_of<FormatError>([&] { return folder.open({}, "path,label\na/1.bmp,x\nb/1.bmp,x\na/1.bmp,y\n"); }) ==
        "labels.csv: lines 2 and 4 have one key and differ in 'label'; expected one value for it");
  CHECK(folder.open({}, "path,label\na/1.bmp,x\na/1.bmp,x\n")->label_counts()->matched == 1);
  DatasetOptions named;
  named.labels.label = "lable";
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(named, "path,label\na/1.bmp,x\n"); }),
             Contains("labels.csv: no column 'lable'; nearest is 'label'"));
  named.labels.label.clear();
  named.labels.key = {"accession"};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(named, "path,label\na/1.bmp,x\n"); }),
             Contains("labels.csv: no column 'accession'"));
  CHECK_THAT(error_of<FormatError>([&] { return folder.open({}, "path,label\na/1.bmp\n"); }),
             Contains("labels.csv: line 2: 1 fields; expected 2"));
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open({}, "file,label\na/1.bmp,x\n"); }),
             Contains("labels.csv: no column 'path' or 'id'"));
}

// Oracle: shared/data/dicom's tree in small: accession 2 spans patients, a patient's studies have dates.
TEST_CASE("Keys besides the path, of one or several columns", "[imaging]") {
  const std::vector<Sample> samples{study("1", "0012", "20010101", "2"), study("2", "12", "20010101", "2"),
                                    study("3", "12", "19950903", "428")};
  const Join dated =
      joined("PatientID,StudyDate,label\n12,20010101,1\n12,19950903,0\n0012,20010101,1\n7,7,1\n", samples);
  CHECK(dated.rows == std::vector<std::size_t>{2, 0, 1});
  CHECK(dated.counts.labels_without_image == 1);
  CHECK(joined("AccessionNumber,label\n428,x\n", samples).counts.matched == 1);
  CHECK_THAT(error_of<FormatError>([&] { return joined("AccessionNumber,label\n2,x\n428,x\n", samples); }),
             Contains("t.csv: 1 keys are shared by images of several patients"));
  // What must never be printed is not: keys that are no paths.
  CHECK_THAT(error_of<FormatError>([&] { return joined("AccessionNumber,label\n428,x\n428,y\n", samples); }),
             !Contains("428"));
}

TEST_CASE("Keys are compared as they are written, and near misses are told", "[imaging]") {
  const auto notes = [](const char* key, const char* sample) {
    return joined("path,label\n" + std::string(key) + ",x\n", {Sample{sample}}).notes;
  };
  CHECK(notes("A/1.PNG", "a/1.png") ==
        Strings{"t.csv: 1 more images would have a row if upper and lower case were one; keys are compared as they are "
                "written"});
  CHECK_THAT(notes("12", "0012").at(0), Contains("without the zeros in front"));
  CHECK_THAT(notes("a\\1.png", "a/1.png").at(0), Contains("with / in place of"));
  CHECK_THAT(notes("images/1.png", "1.png").at(0), Contains("by the file's name without its folders"));
  CHECK(notes("x", "y").empty());
}

// Worked by hand: CheXpert's way of writing findings.
TEST_CASE("Several findings, known or not", "[imaging]") {
  const Folder folder;
  using Known = std::vector<std::int8_t>;
  DatasetOptions options;
  options.labels.findings = {"Edema", "Nodule"};
  const char* text = "path,Nodule,Edema,label\na/1.bmp,1.0,0.0,x\na/2.bmp,-1.0,,y\nb/1.bmp,,,\nb/2.bmp,nan,1,z\n";
  const auto data = folder.open(options, text);
  CHECK(data->classes() == Strings{"Edema", "Nodule"});
  const auto known = [&](std::size_t i) { return data->samples()[i].findings; };
  CHECK(known(0) == Known{0, 1});
  CHECK(known(1) == Known{-1, -1});
  CHECK(known(3) == Known{1, -1});
  CHECK(known(4) == Known{-1, -1});  // c/3.bmp is in no row
  CHECK(labels(*data) == std::vector<std::int32_t>(5, -1));
  CHECK(data->label_counts()->matched == 2);
  CHECK(data->label_counts()->images_without_label == 3);

  // The network's outputs by their names: findings that the table lacks are not known.
  options.classes = {"Nodule", "Mass", "Edema"};
  CHECK(folder.open(options, text)->samples()[0].findings == Known{1, -1, 0});
  options.classes = {"Nodule", "Mass"};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }),
             Contains("labels.csv: column 'Edema' is none of the classes; expected one of Nodule, Mass"));
  options.classes.clear();
  CHECK_THAT(error_of<FormatError>([&] { return folder.open(options, "path,Edema,Nodule\na/1.bmp,yes,0\n"); }),
             Contains("labels.csv: line 2: column 'Edema' holds no finding; expected 0 or 1") && !Contains("yes"));
  CHECK_THAT(
      error_of<FormatError>([&] { return folder.open(options, "path,Edema,Nodule\na/1.bmp,1,0\na/1.bmp,1,1\n"); }),
      Contains("lines 2 and 3 have one key and differ in 'Nodule'"));
  options.labels.findings = {"Edema", "Noduel"};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }), Contains("nearest is 'Nodule'"));
}

TEST_CASE("The tables of the conformance tree", "[imaging]") {
  const auto tree = shiftnorm::test::shared_data("The tables of the conformance tree");
  if (!tree) return;
  const auto key = [&](const char* name) {
    Table table = read_table(*tree / "data" / "dicom" / "tree" / name, {});
    find_key(table, {}, {"SOPInstanceUID", "AccessionNumber", "PatientID", "StudyDate"});
    return table;
  };
  CHECK(key("labels_by_path.csv").key.size() == 1);
  CHECK(key("labels_by_patient_date.csv").key.size() == 2);
  CHECK_THAT(error_of<FormatError>([&] { return join_table(key("labels_conflicting.csv"), {}, {}); }),
             Contains("lines 2 and 3 have one key and differ in 'label'"));
}
