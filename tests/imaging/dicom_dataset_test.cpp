#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "dicom/helper_pool.hpp"
#include "dicom_support.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/decoder_host.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "support.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using shiftnorm::test::TempDir;

// Oracle: files written by hand (dicom_support.hpp); the counts and values follow from how they are made.

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kUid = 0x00080018, kPatient = 0x00100020, kView = 0x00185101, kIntent = 0x00080068;

TinyObject object(const std::string& uid, std::uint16_t level, const std::string& patient = "P1") {
  TinyObject tiny(2, 2, {level, level, level, level});
  tiny.text(kUid, "UI", uid).text(kPatient, "LO", patient).text(0x0020000d, "UI", "1.2." + patient);
  return tiny;
}

std::shared_ptr<const Dataset> open_archive(const fs::path& folder, const TempDir& key, DatasetOptions options = {}) {
  options.key_folder = key.path();
  return open_dataset(folder.string(), options);
}

}  // namespace

// Oracle: which of these objects are pictures, by hand.
TEST_CASE("A folder of DICOM objects is told by content; what is no image is skipped with a reason", "[imaging]") {
  const TempDir dir, key;
  put(dir.path() / "a" / "1", object("1.1", 819).bytes());
  put(dir.path() / "a" / ".hidden", object("1.2", 4095, "P2").bytes());
  put(dir.path() / "b" / "copy", object("1.1", 819).bytes());      // the same again
  put(dir.path() / "b" / "conflict", object("1.1", 820).bytes());  // another picture
  put(dir.path() / "b" / "raw", object("1.3", 1).text(kIntent, "CS", "FOR PROCESSING").bytes());
  put(dir.path() / "b" / "report", object("1.4", 1).text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.88.11").bytes());
  put(dir.path() / "b" / "notes.txt", "no object");
  put(dir.path() / "b" / "bad.dcm", "no object either");
  std::vector<std::byte> cut = object("1.5", 1).bytes();
  cut.resize(cut.size() - 3);
  put(dir.path() / "b" / "cut", cut);
  const auto data = open_archive(dir.path(), key, {.threads = 2});
  CHECK(data->reader() == Reader::dicom);
  REQUIRE(data->samples().size() == 2);
  CHECK(data->samples()[0].id.size() == 16);
  CHECK(data->samples()[0].patient != data->samples()[1].patient);
  CHECK(data->samples()[0].keys.at("path") == "a/.hidden");
  CHECK(data->samples()[0].keys.at("SOPInstanceUID") == "1.2");
  CHECK(data->samples()[0].keys.at("PatientID") == "P2");
  std::multiset<std::string> skipped, bad;
  for (const Bad& one : data->skipped_files()) skipped.insert(one.reason);
  for (const Bad& one : data->bad()) bad.insert(one.kind);
  CHECK(skipped == std::multiset<std::string>{"duplicate", "for-processing", "not-dicom", "sop-class"});
  CHECK(bad == std::multiset<std::string>{"not-dicom", "truncated", "uid-conflict"});
  CHECK_THAT(data->notes({}).at(0), Contains("4 files skipped"));

  // .hidden comes first: 4095 of 12 bits, then 819.
  const SampleStore store(data, {"custom", {Voi{.rule = VoiRule::bits}, Resize{.size = 1}, ToFloat{}}}, {1, 1, 1},
                          {.threads = 2}, {});
  REQUIRE(store.size() == 2);
  CHECK(store.bad().size() == 3);
  std::vector<float> value(1);
  store.load(0, value);
  CHECK(value[0] == 1.0f);
  store.load(1, value);
  CHECK(value[0] == Approx(0.2f));
}

// Law: ids depend on the key, fingerprints do not.
TEST_CASE("Ids are keyed: the same under one key, others under another, and the key is the owner's", "[imaging]") {
  const TempDir dir, key, other;
  put(dir.path() / "1", object("1.1", 1).bytes());
  const std::string id = open_archive(dir.path(), key)->samples()[0].id;
  CHECK(open_archive(dir.path(), key)->samples()[0].id == id);
  CHECK(open_archive(dir.path(), other)->samples()[0].id != id);
  CHECK(open_archive(dir.path(), other)->fingerprint() == open_archive(dir.path(), key)->fingerprint());
  const fs::path file = key.path() / ".shiftnorm" / "key";
  CHECK(fs::file_size(file) == 32);
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  CHECK_THAT(error_of<ConfigError>([&] { open_archive(dir.path(), key); }), Contains("mode 0600"));
}

// Oracle: the two objects by hand.
TEST_CASE("Attributes select objects, folders label them", "[imaging]") {
  const TempDir dir, key;
  put(dir.path() / "ill" / "1", object("1.1", 1).text(kView, "CS", "PA").bytes());
  put(dir.path() / "well" / "2", object("1.2", 2).text(kView, "CS", "LL").bytes());
  DatasetOptions options;
  options.dicom.label_folders = true;
  const auto both = open_archive(dir.path(), key, options);
  CHECK(both->classes() == std::vector<std::string>{"ill", "well"});
  CHECK(both->samples()[1].label == 1);
  options.dicom.where = {{"ViewPosition", {"AP", "pa"}}};
  const auto one = open_archive(dir.path(), key, options);
  REQUIRE(one->samples().size() == 1);
  CHECK(one->skipped_files()[0].reason == "where");
  options.dicom.where = {{"NoSuchThing", {"1"}}};
  CHECK_THAT(error_of<ConfigError>([&] { open_archive(dir.path(), key, options); }), Contains("NoSuchThing"));
}

// Oracle: the five objects by hand.
TEST_CASE("The value of an attribute labels objects", "[imaging]") {
  const TempDir dir, key;
  const std::vector<std::string> views{"PA", "ap", "LL", "", "PA\\OBLIQUE"};
  for (std::size_t i = 0; i < views.size(); ++i) {
    const std::string n = std::to_string(i + 1);
    put(dir.path() / n, object("1." + n, static_cast<std::uint16_t>(i)).text(kView, "CS", views[i]).bytes());
  }
  const auto labels = [](const Dataset& data) {
    std::vector<std::int32_t> out;
    for (const Sample& sample : data.samples()) out.push_back(sample.label);
    return out;
  };
  const auto counts = [](const Dataset& data) {
    const LabelCounts& all = *data.label_counts();
    return std::vector<std::int64_t>{all.matched, all.images_without_label, all.labels_without_image, all.ambiguous};
  };
  DatasetOptions options;
  options.dicom.label.tag = "ViewPosition";
  SECTION("through a map, by the whole text or one of its parts, whatever the case") {
    options.dicom.label.map = {{"AP", "frontal"}, {"pa", "frontal"}, {"LL", "side"}, {"RL", "side"}};
    const auto data = open_archive(dir.path(), key, options);
    CHECK(data->classes() == std::vector<std::string>{"frontal", "side"});
    CHECK(labels(*data) == std::vector<std::int32_t>{0, 0, 1, -1, 0});
    CHECK(counts(*data) == std::vector<std::int64_t>{4, 1, 1, 0});
    CHECK(data->label_counts()->file == "ViewPosition");
    options.limit.per_class = 1;
    CHECK(labels(*open_archive(dir.path(), key, options)) == std::vector<std::int32_t>{0, 1});
  }
  SECTION("beside filters and attributes that are kept") {
    options.dicom.label.map = {{"PA", "1"}, {"AP", "0"}};
    options.dicom.where = {{"ViewPosition", {"PA", "AP"}}};
    options.dicom.keep = {"Modality"};
    const auto data = open_archive(dir.path(), key, options);
    CHECK(data->classes() == std::vector<std::string>{"0", "1"});
    CHECK(labels(*data) == std::vector<std::int32_t>{1, 0, 1});
    CHECK(data->samples()[0].attributes.at("Modality") == "CR");
  }
  SECTION("as it stands, where no value names anybody") {
    const auto data = open_archive(dir.path(), key, options);
    CHECK(data->classes() == std::vector<std::string>{"LL", "PA", "PA\\OBLIQUE", "ap"});
    CHECK(labels(*data) == std::vector<std::int32_t>{1, 3, 0, -1, 2});
    options.classes = {"PA", "LL"};
    CHECK_THAT(error_of<ConfigError>([&] { open_archive(dir.path(), key, options); }),
               Contains("not one of the classes"));
    options.dicom.label.tag = "InstitutionName";
    CHECK_THAT(error_of<ConfigError>([&] { open_archive(dir.path(), key, options); }), Contains("expected a map"));
  }
  SECTION("unless it says two things") {
    options.dicom.label.map = {{"PA", "frontal"}, {"OBLIQUE", "oblique"}};
    CHECK_THAT(error_of<FormatError>([&] { open_archive(dir.path(), key, options); }),
               Contains("1 images have values of several classes"));
    options.dicom.label.map = {{"PA", "frontal"}, {" pa", "side"}};
    CHECK_THAT(error_of<ConfigError>([&] { open_archive(dir.path(), key, options); }),
               Contains("'side' and 'frontal'"));
  }
  SECTION("a table beside them does not label them") {
    options.dicom.label.map = {{"PA", "1"}, {"AP", "0"}};
    options.labels.file = key.path() / "t.csv";
    options.keep = {"scanner"};
    write_file(options.labels.file, std::string_view("SOPInstanceUID,label,scanner\n1.1,x,a\n1.2,y,b\n"));
    const auto data = open_archive(dir.path(), key, options);
    CHECK(labels(*data) == std::vector<std::int32_t>{1, 0, -1, -1, 1});
    CHECK(data->samples()[1].attributes.at("scanner") == "b");
    CHECK(data->label_counts()->matched == 3);
    CHECK(data->selection_notes().empty());
  }
  SECTION("which other data have not") {
    write_file(key.path() / "t.csv", std::string_view("path,label\n"));
    CHECK_THAT(error_of<ConfigError>([&] { open_archive(key.path() / "t.csv", key, options); }),
               Contains("holds no DICOM objects"));
  }
}

// Oracle: where the links lead.
TEST_CASE("Linked folders are read once, and what is not is counted", "[imaging]") {
  const TempDir dir, elsewhere, key;
  put(dir.path() / "a" / "1", object("1.1", 1).bytes());
  put(elsewhere.path() / "series" / "2", object("1.2", 2).bytes());
  fs::create_directory_symlink(elsewhere.path() / "series", dir.path() / "a" / "linked");
  fs::create_directory_symlink(elsewhere.path() / "series", dir.path() / "b");  // a second way
  fs::create_directory_symlink(dir.path(), dir.path() / "a" / "up");            // a loop
  fs::create_directory_symlink(dir.path(), elsewhere.path() / "series" / "back");
  fs::create_symlink(elsewhere.path() / "gone", dir.path() / "gone.dcm");
  fs::create_symlink(dir.path() / "a" / "1", dir.path() / "same");
  REQUIRE(::mkfifo((dir.path() / "pipe").c_str(), 0600) == 0);
  const auto data = open_archive(dir.path(), key);
  REQUIRE(data->samples().size() == 2);
  CHECK(data->samples()[0].keys.at("path") == "a/1");
  CHECK(data->samples()[1].keys.at("path") == "a/linked/2");
  CHECK(data->bad().empty());
  std::multiset<std::string> skipped;
  for (const Bad& one : data->skipped_files()) skipped.insert(one.reason);
  CHECK(skipped == std::multiset<std::string>{"broken-link", "duplicate", "linked-again", "linked-again",
                                              "linked-again", "no-file"});
  // Links alone are found too.
  const TempDir links;
  fs::create_directory_symlink(dir.path() / "a", links.path() / "cohort");
  CHECK(open_archive(links.path(), key)->samples().size() == 2);
}

// Oracle: PS3.10 7.1 and what is left out of it; DCMTK 3.6.7 (dcmdump +fo) and pydicom 2.3.1 (force=True) read these.
TEST_CASE("Objects without a preamble are read alone and in folders", "[imaging]") {
  const TempDir dir, key;
  const auto without_class = object("1.4", 4).without(0x00080016);
  put(dir.path() / "1", object("1.1", 1).without_preamble());
  put(dir.path() / "2", object("1.2", 2).data_set());
  put(dir.path() / "3", object("1.3", 3).implicit_data_set());
  for (const char* name : {"1", "2", "3"}) {
    INFO(name);
    CHECK(open_archive(dir.path() / name, key)->samples().size() == 1);
  }
  const auto data = open_archive(dir.path(), key);
  CHECK(data->samples().size() == 3);
  CHECK(data->notes({}) ==
        std::vector<std::string>{"1 object: no preamble", "2 objects: no preamble and no meta header",
                                 "2 objects: no transfer syntax is given: it is inferred from the data"});
  // A class is needed where nothing else says what it is, and the meta header's will do.
  put(dir.path() / "4", without_class.bytes());
  TinyObject told = object("1.5", 5).without(0x00080016).meta(0x00020002, "1.2.840.10008.5.1.4.1.1.1");
  put(dir.path() / "5", told.bytes());
  put(dir.path() / "6", object("1.6", 6).without(0x00080016).text(0x00080060, "CS", "SEG").bytes());
  const auto more = open_archive(dir.path(), key);
  CHECK(more->samples().size() == 5);
  CHECK(more->notes({}).at(0) == "1 files skipped: 1 sop-class");
  CHECK(more->notes({}).at(1) == "2 objects: no SOP class");
  // Text that begins with the same two bytes is none.
  const TempDir other;
  put(other.path() / "x", std::string("\x08\0\x10\0 and so on, as no data set does", 35));
  CHECK_THROWS_AS(open_archive(other.path() / "x", key), UnsupportedError);
}

// Oracle: the four objects, counted by hand.
TEST_CASE("Where nothing is left the reasons are counted", "[imaging]") {
  const TempDir dir, key;
  put(dir.path() / "1", object("1.1", 1).text(kIntent, "CS", "FOR PROCESSING").bytes());
  put(dir.path() / "2", object("1.2", 1).text(kIntent, "CS", "FOR PROCESSING").bytes());
  put(dir.path() / "3", object("1.3", 1).text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.88.11").bytes());
  std::vector<std::byte> cut = object("1.5", 1).bytes();
  cut.resize(cut.size() - 3);
  put(dir.path() / "4", cut);
  CHECK_THAT(error_of<FormatError>([&] { open_archive(dir.path(), key); }),
             Contains("3 skipped (2 for-processing, 1 sop-class), 1 bad (1 truncated; the first is truncated: "));
}

// Law: a file without permission is bad, whatever it holds.
TEST_CASE("What may not be read is bad, not another kind of file", "[imaging]") {
  if (::geteuid() == 0) {
    WARN("skipped: root may read everything");
    return;
  }
  const TempDir dir, key;
  put(dir.path() / "1", object("1.1", 1).bytes());
  put(dir.path() / "2", object("1.2", 2).bytes());
  put(dir.path() / "ward" / "3", object("1.3", 3).bytes());
  fs::permissions(dir.path() / "2", fs::perms::none);
  fs::permissions(dir.path() / "ward", fs::perms::none);
  const auto data = open_archive(dir.path(), key);
  fs::permissions(dir.path() / "ward", fs::perms::owner_all);
  CHECK(data->samples().size() == 1);
  std::set<std::string> reasons;
  for (const Bad& bad : data->bad()) reasons.insert(bad.reason);
  CHECK(reasons == std::set<std::string>{"changed-while-read: the file cannot be opened",
                                         "changed-while-read: the folder cannot be opened"});
}

// Law: what was listed is what is decoded, or an error.
TEST_CASE("A file that is replaced after listing is a fault of its own", "[imaging]") {
  const TempDir dir, key;
  put(dir.path() / "1", object("1.1", 1).bytes());
  const auto data = open_archive(dir.path(), key);
  put(dir.path() / "1", object("1.1", 2).text(kView, "CS", "PA").bytes());
  CHECK_THAT(error_of<FormatError>([&] { static_cast<void>(data->decode(0)); }), Contains("changed-while-read"));
}

// Law: a scale that turns a picture black is a mistake.
TEST_CASE("A scale meant for 8-bit files is refused where values lie in [0, 1]", "[imaging]") {
  const TempDir dir, key;
  put(dir.path() / "1", object("1.1", 1).bytes());
  CHECK_THAT(error_of<ConfigError>([&] {
               SampleStore(open_archive(dir.path(), key), {"custom", {ToFloat{255.0}}}, {1, 2, 2}, {}, {});
             }),
             Contains("to_float scale = 255"));
}

// Law: one bad object costs one request.
TEST_CASE("A helper that dies costs the request it was working on", "[imaging]") {
  const TempDir dir;
  const fs::path file = dir.path() / "1";
  put(file, object("1.1", 1).bytes());
  dicom::Limits limits;
  limits.wall_seconds = 0.0;
  dicom::HelperPool hasty(limits);
  const dicom::Request request{dicom::Task::facts, file.string(), -1, 0, {}};
  try {
    static_cast<void>(hasty.ask(request));
    FAIL("no time was allowed");
  } catch (const dicom::Fault& fault) {
    CHECK(fault.reason() == dicom::Reason::decoder_timeout);
  }
  dicom::HelperPool pool;
  // A request that does not fit its packet is nothing a helper can go on from: it aborts.
  dicom::Request broken = request;
  broken.tags.assign(1, std::string(100'000, 'x'));
  try {
    static_cast<void>(pool.ask(broken));
    FAIL("the packet was too large");
  } catch (const dicom::Fault& fault) {
    CHECK(fault.reason() == dicom::Reason::decoder_crashed);
  }
  CHECK(pool.ask(request).facts.modality == "CR");
}

// Oracle: the conformance set's README: 43 files, 3 not DICOM, 37 images of which 2 localizers, 1 for processing, 33
// distinct instances, one of the repeated ones with other pixels. The zip holds seven copies more.
TEST_CASE("The archive of the conformance set is listed as it says", "[imaging][golden]") {
  const auto shared = shiftnorm::test::shared_data("The archive of the conformance set is listed as it says");
  if (!shared) return;
  const TempDir key;
  const auto data = open_archive(*shared / "data" / "dicom" / "tree", key, {.threads = 2});
  CHECK(data->samples().size() == 33 - 2 - 1);
  std::set<std::string> patients;
  for (const Sample& sample : data->samples()) patients.insert(sample.patient);
  CHECK(patients.size() == 3);
  REQUIRE(data->bad().size() == 1);
  CHECK(data->bad()[0].kind == "uid-conflict");
  std::map<std::string, int> skipped;
  for (const Bad& one : data->skipped_files()) ++skipped[one.reason];
  CHECK(skipped["localizer"] == 2);
  CHECK(skipped["for-processing"] == 1);
  CHECK(skipped["sop-class"] == 3);
  CHECK(skipped["directory"] == 2);
}
