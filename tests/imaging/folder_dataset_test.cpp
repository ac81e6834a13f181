#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
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

std::vector<std::string> ids(const Dataset& data) {
  std::vector<std::string> out;
  for (const Sample& sample : data.samples()) out.push_back(sample.id);
  return out;
}

void put_flat(const fs::path& path, std::uint8_t level = 9) { put(path, flat_bmp(2, 3, level)); }

}  // namespace

// Oracle: the tree by hand; classes as torchvision.datasets.ImageFolder sorts them.
TEST_CASE("Class folders, nested files, other files, hidden files and links", "[imaging]") {
  const TempDir dir;
  const fs::path root = dir.path() / "set";
  put_flat(root / "b" / "2.bmp");
  put_flat(root / "b" / "10.bmp");
  put_flat(root / "a" / "deep" / "er" / "x.bmp");
  put_flat(root / "a" / ".hidden.bmp");
  put_flat(root / "a" / "scan_without_extension");
  put(root / "a" / "notes.txt", "notes");
  put(root / "notes_only" / "readme.md", "no images here");
  put(root / "a" / "text.JPG", "a text file renamed");
  put_flat(root / "beside_the_classes.bmp");
  put_flat(dir.path() / "elsewhere" / "other.bmp");
  fs::create_directory_symlink(dir.path() / "elsewhere", root / "linked");
  fs::create_symlink(dir.path() / "elsewhere" / "other.bmp", root / "b" / "linked.bmp");

  const auto data = open_dataset(root.string(), {});
  CHECK(data->images());
  CHECK(data->classes() == std::vector<std::string>{"a", "b", "linked"});
  CHECK(ids(*data) == std::vector<std::string>{"a/deep/er/x.bmp", "a/scan_without_extension", "a/text.JPG", "b/10.bmp",
                                               "b/2.bmp", "b/linked.bmp", "linked/other.bmp"});
  CHECK(labels(*data) == std::vector<std::int32_t>{0, 0, 0, 1, 1, 1, 2});
  CHECK(data->skipped() == 4);  // .hidden.bmp, notes.txt, readme.md, the image beside the classes
  CHECK(data->selection_notes() ==
        std::vector<std::string>{"1 hidden or system files and folders are left out",
                                 "1 images lie beside the class folders and belong to no class; they are left out"});
  CHECK(data->decode(0).pixels == std::vector<std::uint16_t>(18, 9));
  CHECK_THAT(error_of<FormatError>([&] { return data->decode(2); }),
             Catch::StartsWith("is not an image: its first bytes match no known format; expected JPEG"));
  CHECK_THAT(error_of<Error>([&] { return data->array(0); }), Contains("expected decode()"));
}

// Law: without class folders there are no labels.
TEST_CASE("Images without class folders are an unlabelled set", "[imaging]") {
  const TempDir dir;
  put_flat(dir.path() / "2.bmp");
  put_flat(dir.path() / "1.bmp");
  const auto data = open_dataset(dir.path().string() + "/", {});
  CHECK(data->classes().empty());
  CHECK(ids(*data) == std::vector<std::string>{"1.bmp", "2.bmp"});
  CHECK(labels(*data) == std::vector<std::int32_t>{-1, -1});
  DatasetOptions options;
  options.limit.per_class = 1;
  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(dir.path().string(), options); }),
             Contains("limit.per_class: the data have no labels"));
}

// Oracle: the given order by hand.
TEST_CASE("Classes follow the order that was given", "[imaging]") {
  const TempDir dir;
  for (const char* name : {"cat", "dog", "owl"}) put_flat(dir.path() / name / "1.bmp");
  DatasetOptions options{.classes = {"owl", "cat", "dog"}};
  const auto data = open_dataset(dir.path().string(), options);
  CHECK(data->classes() == options.classes);
  CHECK(labels(*data) == std::vector<std::int32_t>{1, 2, 0});
  options.classes = {"cat", "dgo", "owl"};
  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(dir.path().string(), options); }),
             Contains("class folders not among the given classes: dog; classes without a folder: dgo; expected"));
  options.classes = {"cat", "dog", "owl", "dog"};
  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(dir.path().string(), options); }),
             Contains("classes: 'dog' is named twice; expected each class once"));
}

// Oracle: numbers have an order of their own. ImageNetV2's folders 0 to 999 in the text order (0, 1, 10, 100, ..)
// give an ImageNet network wrong labels (github.com/modestyachts/ImageNetV2, issue 4).
TEST_CASE("Class folders that are numbers are taken in their order, and it is said", "[imaging]") {
  const TempDir dir;
  for (const char* name : {"0", "1", "2", "10", "11"}) put_flat(dir.path() / "n" / name / "1.bmp");
  const auto data = open_dataset((dir.path() / "n").string(), {});
  CHECK(data->classes() == std::vector<std::string>{"0", "1", "2", "10", "11"});
  CHECK(ids(*data)[2] == "10/1.bmp");
  CHECK(labels(*data) == std::vector<std::int32_t>{0, 1, 3, 4, 2});
  REQUIRE(data->selection_notes().size() == 1);
  CHECK_THAT(data->selection_notes()[0],
             Contains("outputs 0 to 4 are 0, 1, 2, 10 and 1 more") && Contains("text order (0, 1, 10, 11 and 1 more)"));
  // Who gives an order has it, and where both orders are one there is nothing to say.
  const DatasetOptions text{.classes = {"0", "1", "10", "11", "2"}};
  CHECK(labels(*open_dataset((dir.path() / "n").string(), text)) == std::vector<std::int32_t>{0, 1, 2, 3, 4});
  for (const char* name : {"01", "02", "10"}) put_flat(dir.path() / "padded" / name / "1.bmp");
  CHECK(open_dataset((dir.path() / "padded").string(), {})->selection_notes().empty());
  for (const char* name : {"2", "10", "x"}) put_flat(dir.path() / "mixed" / name / "1.bmp");
  CHECK(open_dataset((dir.path() / "mixed").string(), {})->classes() == std::vector<std::string>{"10", "2", "x"});
  // Longer than any integer type.
  const std::string nines(30, '9'), one = "1" + std::string(30, '0');
  for (const std::string& name : {nines, one}) put_flat(dir.path() / "long" / name / "1.bmp");
  CHECK(open_dataset((dir.path() / "long").string(), {})->classes() == std::vector<std::string>{nines, one});
}

// Oracle: the list of files, counted by hand.
TEST_CASE("What systems put into folders is no class and no image, and is counted", "[imaging]") {
  const TempDir dir;
  const std::vector<std::string> system{".ipynb_checkpoints/1.bmp",
                                        "@eaDir/1.bmp/thumb.bmp",
                                        "__MACOSX/a/._1.bmp",
                                        "a/._1.bmp",
                                        "a/.DS_Store",
                                        "a/Thumbs.db",
                                        "a/desktop.ini",
                                        "lost+found/x.bmp",
                                        "$RECYCLE.BIN/1.bmp",
                                        "System Volume Information/1.bmp",
                                        ".git/1.bmp",
                                        "#recycle/1.bmp"};
  for (const std::string& name : system) put_flat(dir.path() / name);
  for (const char* name : {"a/1.bmp", "b/1.bmp"}) put_flat(dir.path() / name);
  const auto data = open_dataset(dir.path().string(), {});
  CHECK(data->classes() == std::vector<std::string>{"a", "b"});
  CHECK(ids(*data) == std::vector<std::string>{"a/1.bmp", "b/1.bmp"});
  CHECK(data->skipped() == static_cast<std::int64_t>(system.size()));
  REQUIRE(data->selection_notes().size() == 1);
  CHECK_THAT(data->selection_notes()[0], Contains("9 hidden or system files and folders"));
  // The data's own folder may be called as it likes.
  fs::rename(dir.path() / "a", dir.path() / ".cache");
  CHECK(ids(*open_dataset((dir.path() / ".cache").string(), {})) == std::vector<std::string>{"1.bmp"});
}

// Law: each picture once, and what is left out is counted.
TEST_CASE("Links to folders are followed once, and none is dropped unsaid", "[imaging]") {
  const TempDir dir;
  for (const char* name : {"a", "b", "c"}) put_flat(dir.path() / "real" / name / "1.bmp");
  // ImageNet's subsets are made so.
  for (const char* name : {"a", "b", "c"}) {
    fs::create_directories(dir.path() / "links");
    fs::create_directory_symlink(dir.path() / "real" / name, dir.path() / "links" / name);
  }
  const auto links = open_dataset((dir.path() / "links").string(), {});
  CHECK(links->classes() == std::vector<std::string>{"a", "b", "c"});
  CHECK(ids(*links) == std::vector<std::string>{"a/1.bmp", "b/1.bmp", "c/1.bmp"});
  CHECK(links->selection_notes().empty());

  fs::create_directory_symlink(dir.path() / "real", dir.path() / "real" / "a" / "loop");
  fs::create_directory_symlink(dir.path() / "real" / "b", dir.path() / "real" / "0_again");
  fs::create_directory_symlink(dir.path() / "nowhere", dir.path() / "real" / "d");
  const auto loops = open_dataset((dir.path() / "real").string(), {});
  CHECK(loops->classes() == std::vector<std::string>{"a", "b", "c"});
  CHECK(loops->samples().size() == 3);
  CHECK(loops->selection_notes() ==
        std::vector<std::string>{"2 links to folders already seen, or to one above them, are left out",
                                 "1 broken links; expected existing files or folders"});
}

// Law: a draw depends on the seed alone and keeps the order.
TEST_CASE("Limits keep the first of each class, or a draw in order", "[imaging]") {
  const TempDir dir;
  for (const char* name : {"a", "b"})
    for (int i = 0; i < 30; ++i) put_flat(dir.path() / name / (std::to_string(10 + i) + ".bmp"));
  const auto open = [&](const Limit& limit) { return open_dataset(dir.path().string(), {.limit = limit}); };
  CHECK(ids(*open({.per_class = 2})) == std::vector<std::string>{"a/10.bmp", "a/11.bmp", "b/10.bmp", "b/11.bmp"});

  const std::vector<std::string> drawn = ids(*open({.images = 20, .seed = 1}));
  CHECK(drawn.size() == 20);
  CHECK(std::ranges::is_sorted(drawn));
  CHECK(drawn == ids(*open({.images = 20, .seed = 1})));
  CHECK(drawn != ids(*open({.images = 20, .seed = 2})));
  CHECK(ids(*open({.images = 1000})).size() == 60);
  CHECK(ids(*open({.per_class = 3, .images = 4})).size() == 4);
  CHECK(error_of<ConfigError>([&] { return open({.images = 0}); }).ends_with("limit.images = 0; expected at least 1"));
}

// A law: every sample is drawn equally often. 400 draws of 3 of 6: 200 expected each, standard deviation 10; 50 is 5
// sigma.
TEST_CASE("A draw favours no sample", "[imaging]") {
  const TempDir dir;
  for (int i = 0; i < 6; ++i) put_flat(dir.path() / (std::to_string(i) + ".bmp"));
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    for (const std::string& id : ids(*open_dataset(dir.path().string(), {.limit = {.images = 3, .seed = seed}})))
      ++seen[id];
  for (const auto& [id, count] : seen) CHECK(std::abs(count - 200) < 50);
}

// Law: another name or another byte gives another fingerprint, and nothing else does.
TEST_CASE("The fingerprint is over names and bytes", "[imaging]") {
  const TempDir dir;
  put_flat(dir.path() / "a" / "1.bmp", 1);
  put_flat(dir.path() / "a" / "2.bmp", 2);
  const std::string root = dir.path().string();
  const std::string first = open_dataset(root, {})->fingerprint();
  CHECK(first.size() == 64);
  const auto decoded = open_dataset(root, {});
  static_cast<void>(decoded->decode(1));
  CHECK(decoded->fingerprint() == first);
  put_flat(dir.path() / "a" / "2.bmp", 3);
  CHECK(open_dataset(root, {})->fingerprint() != first);
  put_flat(dir.path() / "a" / "2.bmp", 2);
  CHECK(open_dataset(root, {})->fingerprint() == first);
  fs::rename(dir.path() / "a" / "2.bmp", dir.path() / "a" / "3.bmp");
  CHECK(open_dataset(root, {})->fingerprint() != first);
}

// Law: the bytes that were decoded are those that were listed.
TEST_CASE("A file that changes between two readings is noticed", "[imaging]") {
  const TempDir dir;
  put_flat(dir.path() / "1.bmp", 1);
  const auto data = open_dataset(dir.path().string(), {});
  static_cast<void>(data->decode(0));
  put_flat(dir.path() / "1.bmp", 2);
  CHECK(error_of<FormatError>([&] { return data->decode(0); }) ==
        "has changed since it was first read; expected the same bytes");
  fs::remove(dir.path() / "1.bmp");
  CHECK(error_of<FormatError>([&] { return data->decode(0); }) == "no such file");
}

// Law: an id is one printable line.
TEST_CASE("Names that cannot be printed are escaped in ids", "[imaging]") {
  const TempDir dir;
  put_flat(dir.path() / "line\nbreak.bmp");
  CHECK(ids(*open_dataset(dir.path().string(), {})) == std::vector<std::string>{"line\\x0abreak.bmp"});
}

// Law: one line that says what was found and expected.
TEST_CASE("What cannot be opened is said in one line", "[imaging]") {
  const TempDir dir;
  const auto text = [&](const std::string& where, Reader reader = Reader::automatic) {
    return error_of<Error>([&] { return open_dataset((dir.path() / where).string(), {.reader = reader}); });
  };
  CHECK(text("missing") == "missing: no such file or folder; expected a data set");
  fs::create_directory(dir.path() / "empty");
  CHECK(text("empty") == "empty: contains no image; expected JPEG, PNG, TIFF, BMP, WebP or PPM files (0 other files)");
  put(dir.path() / "table.xls", "?");
  CHECK_THAT(text("table.xls"), Contains("table.xls: is not a known kind of data set"));
  CHECK_THAT(text("table.xls", Reader::folder), Contains("reader 'folder' expects a folder"));
  CHECK_THAT(text("empty", Reader::array), Contains("reader 'array' expects"));
}
