#include "object_store.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::pacs;
namespace fs = std::filesystem;

namespace {

const ObjectFacts kFacts{"1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.840.10008.1.2.1"};

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) found.push_back(fs::relative(entry.path(), folder));
  return found;
}

}  // namespace

// Oracle: PS3.10 7.1 by hand; tests/pacs/orthanc_test.py and the reader in lib/imaging read it too.
TEST_CASE("a file begins with its meta information") {
  const std::string head = file_head(kFacts);
  CHECK(head.find_first_not_of('\0') == 128);
  CHECK(head.substr(128, 4) == "DICM");
  CHECK(head.substr(132, 8) == std::string("\2\0\0\0UL\4\0", 8));
  const auto length = static_cast<unsigned char>(head[140]) + 256 * static_cast<unsigned char>(head[141]);
  CHECK(head.size() == 144 + static_cast<std::size_t>(length));
  CHECK(head.find(std::string("\2\0\3\0UI\6\0"
                              "1.2.3\0",
                              14)) != std::string::npos);
  CHECK(head.find(std::string("\2\0\x10\0UI\x14\0"
                              "1.2.840.10008.1.2.1\0",
                              28)) != std::string::npos);
}

// Law: what was begun and not kept leaves no file; names hold no UID.
TEST_CASE("an object is there whole or not at all, under a name that tells nothing") {
  const test::TempDir keys, dir;
  const ProjectKey key(keys.path());
  ObjectStore store(dir.path(), key, 0);
  const std::string series = store.series_id("1.1", "../../..");
  CHECK(series.size() == 33);
  {
    const auto broken = store.begin(series, kFacts);
    broken->add(as_bytes("half"));
  }
  CHECK(files_below(dir.path()).empty());
  CHECK_FALSE(store.has(series, "1.2.3"));
  const auto whole = store.begin(series, kFacts);
  whole->add(as_bytes("da"));
  whole->add(as_bytes("ta"));
  whole->keep();
  const fs::path name =
      fs::path(key.id("study", "1.1")) / key.id("series", "../../..") / (key.id("instance", "1.2.3") + ".dcm");
  REQUIRE(files_below(dir.path()) == std::vector<fs::path>{name});
  CHECK(as_text(read_file(dir.path() / name)) == file_head(kFacts) + "data");
  CHECK(store.has(series, "1.2.3"));
  CHECK(store.count(series) == 1);
  CHECK(store.bytes_received() == fs::file_size(dir.path() / name));
  CHECK(store.syntaxes().at("1.2.840.10008.1.2.1") == 1);
}

// Law: half an object is none.
TEST_CASE("what an earlier call died with is taken away") {
  const test::TempDir keys, dir;
  fs::create_directory(dir.path() / ".incoming");
  std::ofstream(dir.path() / ".incoming" / "0") << "half";
  const ProjectKey key(keys.path());
  const ObjectStore store(dir.path(), key, 0);
  CHECK(files_below(dir.path()).empty());
}

// Oracle: sizes added by hand; two objects fit, a replaced one takes no more.
TEST_CASE("a budget of bytes is kept to, and counts what is there") {
  const test::TempDir keys, dir;
  const ProjectKey key(keys.path());
  const std::string data(1000, 'x');
  const std::uint64_t each = file_head(kFacts).size() + data.size();
  const auto put = [&](ObjectStore& store, const std::string& uid) {
    const auto object = store.begin("a", {kFacts.sop_class, uid, kFacts.transfer_syntax});
    object->add(as_bytes(data));
    object->keep();
  };
  {
    ObjectStore store(dir.path(), key, 2 * each + 10);
    put(store, "1.2.3");
    put(store, "1.2.3");  // replaced: takes no more room
    put(store, "1.2.4");
    CHECK_THROWS_WITH(put(store, "1.2.5"), Catch::StartsWith("--max-disk: "));
    CHECK(store.count("a") == 2);
  }
  ObjectStore again(dir.path(), key, 2 * each + 10);
  CHECK_THROWS_AS(put(again, "1.2.5"), MachineError);
  CHECK(files_below(dir.path()).size() == 2);
}
