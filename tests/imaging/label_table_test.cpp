#include <fmt/format.h>

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

}  // namespace

// Oracle: counted by hand from the table and the folder's five images.
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
  // Labels are not part of what provenance records.
  CHECK(data->fingerprint() == open_dataset((folder.dir.path() / "set").string(), {})->fingerprint());
}

// Oracle: the rows of the table, by hand.
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
  // Only who has the key can recompute ids of images and patients.
  const ProjectKey key(folder.dir.path());
  CHECK(data->samples()[0].id == key.id("file", "a/2.bmp"));
  CHECK(data->samples()[0].patient == key.id("patient", std::string("\0p1", 3)));
  CHECK(data->samples()[1].patient == key.id("patient", std::string("\0p2", 3)));
  CHECK(data->samples()[3].patient.empty());
  CHECK(data->decode(3).height == 2);
  CHECK(data->selection_notes() == Strings{"1 images without a patient in the table; they count as one",
                                           "4 of 5 samples are selected by scanner"});

  options.limit.per_class = 1;
  CHECK(paths(*folder.open(options, text)) == Strings{"a/2.bmp", "b/1.bmp"});
  options.where = {{"scanner", {"D"}}};
  CHECK_THAT(error_of<FormatError>([&] { return folder.open(options, text); }),
             Contains("none of 5 samples has the requested values of scanner"));
  options.where = {{"scaner", {"D"}}};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }),
             Contains("the samples have no 'scaner'; nearest is 'scanner'"));
}

// Oracle: ProjectKey, which has its own tests.
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
             Contains("ids = path: patients are identified"));
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

// Oracle: docs/guide.md: numbers, given names, or names in alphabetical order.
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
             Contains("labels.csv: label 'ill' is not one of the classes; expected one of well, sick, never"));
  // A table without labels leaves those of the folders, and the classes are theirs.
  given.classes = {"c", "b", "a"};
  const auto folders = folder.open(given, "path,scanner\na/1.bmp,A\n");
  CHECK(labels(*folders) == std::vector<std::int32_t>{2, 2, 1, 1, 0});
  CHECK(folders->selection_notes() == Strings{"labels.csv: has no column 'label', and none was named"});
}

// Oracle: what each table says in words. The rows are of HAM10000, of Data_Entry_2017.csv and of val.txt in small.
TEST_CASE("Columns of any name tell images by path, file name or what is before the extension", "[imaging]") {
  const TempDir dir;
  for (const char* file : {"x/a 1.bmp", "x/b.bmp", "c.bmp"}) put(dir.path() / "set" / file, flat_bmp(2, 2, 9));
  const auto open = [&](std::string_view text, Strings key = {}, const char* name = "t.csv") {
    put(dir.path() / name, text);
    DatasetOptions options;
    options.labels.file = dir.path() / name;
    options.labels.key = std::move(key);
    return open_dataset((dir.path() / "set").string(), options);
  };
  const auto check = [&](const Dataset& data, const std::string& by) {
    CHECK(labels(data) == std::vector<std::int32_t>{2, 0, 1});  // c.bmp, x/a 1.bmp, x/b.bmp
    CHECK(data.label_counts()->matched == 3);
    CHECK(data.label_counts()->by == by);
  };
  const std::string absolute = (dir.path() / "set").string();
  check(*open("path,label\nx/a 1.bmp,0\nx/b.bmp,1\nc.bmp,2\n"), "");
  check(*open("path,label\n./x//a 1.bmp,0\nx/../x/b.bmp,1\n" + absolute + "/c.bmp,2\n"), "");
  check(*open("file,label\nx/a 1.bmp,0\nx/b.bmp,1\nc.bmp,2\n", {"file"}), "column 'file' as path");
  check(*open("Image Index,label,\na 1.bmp,0,\nb.bmp,1,\nc.bmp,2,\n", {"Image Index"}),
        "column 'Image Index' as file name");
  check(*open(",lesion_id,image_id,label\n0,l,a 1,0\n1,l,b,1\n2,m,c,2\n", {"image_id"}),
        "column 'image_id' as file name without its extension");
  check(*open("stem,label\nx/a 1,0\nx/b,1\nc,2\n", {"stem"}), "column 'stem' as path without its extension");
  // Lists without names of columns.
  check(*open("a 1.bmp 0\nb.bmp 1\nc.bmp 2\n", {}, "val.txt"), "column 'path' as file name");
  check(*open("x/a 1.bmp\t0\r\nx/b.bmp\t1\r\nc.bmp\t2\r\n", {}, "val.txt"), "");
  check(*open("x/a 1.bmp,0\nx/b.bmp,1\nc.bmp,2\n"), "");
  CHECK_THAT(error_of<FormatError>([&] { return open("a.bmp,0,1,0\n"); }),
             Contains("t.csv: line 1 begins with an image's name") && Contains("before the 4 columns"));
  CHECK_THAT(error_of<FormatError>([&] { return open("a.bmp 0 1 0\n"); }),
             Contains("several values separated by blanks; expected a first line of column names"));

  // A table that names none of the images is none of theirs, and says what would nearly fit.
  const std::string none = error_of<ConfigError>([&] { return open("path,label\nelsewhere/b.bmp,1\n"); });
  CHECK_THAT(none, Contains("t.csv: none of its 1 rows names one of the 3 images by column 'path'"));
  CHECK_THAT(none, Contains("by file name without folders"));
  CHECK_THAT(error_of<ConfigError>([&] { return open("path,site\nq.bmp,1\n"); }), Contains("none of its 1 rows"));

  // A name of several files means none of them; their paths do.
  put(dir.path() / "set" / "y" / "b.bmp", flat_bmp(2, 2, 9));
  CHECK(error_of<FormatError>([&] { return open("file,label\nb.bmp,1\n", {"file"}); }) ==
        "t.csv: 1 rows name images by their file name, which several images share; "
        "expected paths below the data's folder");
  CHECK(open("path,label\nc.bmp,1\nx/b.bmp,0\n")->label_counts()->matched == 2);
}

// Oracle: pandas' read_csv, which takes these for missing (na_values), and R's NA.
TEST_CASE("What is missing is no label, no finding, no patient and no value to group by", "[imaging]") {
  const Folder folder;
  for (const char* missing : {"", "NaN", "nan", "NA", "N/A", "null", "NULL", "<NA>"}) {
    INFO("'" << missing << "'");
    const std::string text =
        fmt::format("path,label,Edema,patient,site\na/1.bmp,x,1,p,s\na/2.bmp,{0},{0},{0},{0}\n", missing);
    DatasetOptions options;
    options.key_folder = folder.dir.path();
    options.keep = {"site"};
    const auto data = folder.open(options, text);
    CHECK(data->classes() == Strings{"x"});
    CHECK(labels(*data)[1] == -1);
    CHECK(data->samples()[1].patient.empty());
    CHECK(data->samples()[1].attributes.at("site").empty());
    CHECK(data->label_counts()->matched == 1);
    options.labels.findings = {"Edema"};
    CHECK(folder.open(options, text)->samples()[1].findings == std::vector<std::int8_t>{-1});
  }
  // What the classes name is a label, however it reads; a class may be called None.
  DatasetOptions given;
  given.classes = {"NA", "EU"};
  CHECK(labels(*folder.open(given, "path,label\na/1.bmp,EU\na/2.bmp,NA\n"))[1] == 0);
  CHECK(folder.open({}, "path,label\na/1.bmp,None\na/2.bmp,Mild\n")->classes() == Strings{"Mild", "None"});
  CHECK(folder.open({}, "path,label\na/1.bmp,NA\na/2.bmp,\n")->selection_notes() ==
        Strings{"labels.csv: no image has a label; every value is missing (empty, NaN, NA, null)"});
}

// Oracle: DataFrame({"label": [0, 10, None]}).to_csv() writes 0.0, 10.0 and nothing.
TEST_CASE("Whole numbers that pandas writes with a point are the numbers", "[imaging]") {
  const Folder folder;
  const auto data = folder.open({}, "path,label\na/1.bmp,0.0\na/2.bmp,10.0\nb/1.bmp,\nb/2.bmp,2.0\n");
  CHECK(data->classes().size() == 11);
  CHECK(labels(*data) == std::vector<std::int32_t>{0, 10, -1, 2, -1});
  CHECK(data->selection_notes() == Strings{"labels.csv: labels are written as 0.0, 1.0, ..; taken as the numbers"});
  DatasetOptions given;
  given.classes = {"1", "0"};
  CHECK(labels(*folder.open(given, "path,label\na/1.bmp,0.0\na/2.bmp,1.0\n"))[0] == 1);
  given.classes = {"1.0", "0.0"};
  CHECK(labels(*folder.open(given, "path,label\na/1.bmp,0.0\na/2.bmp,1.0\n"))[0] == 1);
  CHECK(folder.open({}, "path,label\na/1.bmp,0.5\na/2.bmp,1.0\n")->classes() == Strings{"0.5", "1.0"});
}

// Worked by hand: NIH ChestX-ray14's and PadChest's way of writing findings.
TEST_CASE("Findings in one column, parted by a separator or in a list", "[imaging]") {
  const Folder folder;
  using Known = std::vector<std::int8_t>;
  DatasetOptions options;
  options.labels.label = "Finding Labels";
  options.labels.split = "|";
  options.labels.none = {"No Finding"};
  const char* text = "path,Finding Labels\na/1.bmp,Mass\na/2.bmp,Nodule | Mass\nb/1.bmp,No Finding\nb/2.bmp,NaN\n";
  const auto data = folder.open(options, text);
  CHECK(data->classes() == Strings{"Mass", "Nodule"});
  const auto known = [](const Dataset& set, std::size_t i) { return set.samples()[i].findings; };
  CHECK(known(*data, 0) == Known{1, 0});
  CHECK(known(*data, 1) == Known{1, 1});
  CHECK(known(*data, 2) == Known{0, 0});
  CHECK(known(*data, 3) == Known{-1, -1});
  CHECK(known(*data, 4) == Known{-1, -1});
  CHECK(labels(*data) == std::vector<std::int32_t>(5, -1));
  CHECK(data->label_counts()->matched == 3);
  options.classes = {"Nodule", "Hernia", "Mass"};
  CHECK(known(*folder.open(options, text), 1) == Known{1, 0, 1});
  options.labels.none.clear();
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }),
             Contains("labels.csv: finding 'No Finding' is not one of the classes") && Contains("--label-none"));
  options.classes.clear();
  const auto lists = folder.open(options,
                                 "path,Finding Labels\na/1.bmp,\"['a', 'b']\"\na/2.bmp,[]\nb/1.bmp,['b' 'c']\n"
                                 "b/2.bmp,\"(\"\"c\"\",)\"\n");
  CHECK(lists->classes() == Strings{"a", "b", "c"});
  CHECK(known(*lists, 0) == Known{1, 1, 0});
  CHECK(known(*lists, 1) == Known{0, 0, 0});
  CHECK(known(*lists, 2) == Known{0, 1, 1});
  CHECK(known(*lists, 3) == Known{0, 0, 1});

  // Not asked for, each combination is a class: said.
  const auto hint = [&](std::string_view rows) {
    DatasetOptions plain;
    plain.labels.label = "f";
    return folder.open(plain, fmt::format("path,f\n{}", rows))->selection_notes();
  };
  REQUIRE(hint("a/1.bmp,x|y\na/2.bmp,x\nb/1.bmp,y|x\n").size() == 1);
  CHECK_THAT(hint("a/1.bmp,x|y\na/2.bmp,x\nb/1.bmp,y|x\n")[0],
             Contains("label: {column: 'f', split: '|'} (--label-split '|')"));
  CHECK_THAT(hint("a/1.bmp,\"['x','y']\"\na/2.bmp,['x']\n").at(0), Contains("split: ','"));
  CHECK(hint("a/1.bmp,x\na/2.bmp,y|z\n").empty());  // one such value may be a name
}

// Oracle: the rows of the table, by hand.
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

  // The key names the column of files; lists without names of columns, and those of Windows.
  DatasetOptions named;
  named.labels.key = {"file"};
  CHECK(ids(*open_dataset(folder.table("file,label\nset/a/1.bmp,x\n").string(), named)) == Strings{"set/a/1.bmp"});
  const auto windows = open_dataset(folder.table("path,label\nset\\a\\1.bmp,x\nset\\b\\1.bmp,y\n").string(), {});
  CHECK(windows->decode(1).width == 2);
  CHECK(labels(*windows) == std::vector<std::int32_t>{0, 1});
  const auto list = open_dataset(folder.table("set/a/1.bmp\nset/b/1.bmp\n", "test_list.TXT").string(), {});
  CHECK(ids(*list) == Strings{"set/a/1.bmp", "set/b/1.bmp"});
  CHECK(labels(*list) == std::vector<std::int32_t>{-1, -1});
  const auto val = open_dataset(folder.table("set/a/1.bmp 1\nset/b/1.bmp 0\n", "val.txt").string(), {});
  CHECK(labels(*val) == std::vector<std::int32_t>{1, 0});
}

// Oracle: the flaw of each table, lines counted by hand.
TEST_CASE("Labels that cannot be relied on are refused", "[imaging]") {
  const Folder folder;
  CHECK(error_of<FormatError>([&] { return folder.open({}, "path,label\na/1.bmp,x\nb/1.bmp,x\na/1.bmp,y\n"); }) ==
        "labels.csv: lines 2 and 4 have the same key and differ in 'label'; expected one value for it");
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
             Contains("labels.csv: column 'Edema' is not one of the classes; expected one of Nodule, Mass"));
  options.classes.clear();
  CHECK_THAT(error_of<FormatError>([&] { return folder.open(options, "path,Edema,Nodule\na/1.bmp,yes,0\n"); }),
             Contains("labels.csv: line 2: column 'Edema' is not a finding; expected 0 or 1") && !Contains("yes"));
  CHECK_THAT(
      error_of<FormatError>([&] { return folder.open(options, "path,Edema,Nodule\na/1.bmp,1,0\na/1.bmp,1,1\n"); }),
      Contains("lines 2 and 3 have the same key and differ in 'Nodule'"));
  options.labels.findings = {"Edema", "Noduel"};
  CHECK_THAT(error_of<ConfigError>([&] { return folder.open(options, text); }), Contains("nearest is 'Nodule'"));
}

// Oracle: the README of that tree, which says what each table is.
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
             Contains("lines 2 and 3 have the same key and differ in 'label'"));
}
