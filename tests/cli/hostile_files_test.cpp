#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "container/bytes.hpp"
#include "container/tar_builder.hpp"
#include "fixture.hpp"
#include "formats/pickle_builder.hpp"
#include "formats/torch_file.hpp"
#include "process.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using test::PickleBuilder;

namespace {

struct Hostile {
  std::string name;
  std::vector<std::byte> bytes;
  std::string line;  ///< what the program says
};

std::vector<std::byte> deep_pickle(int depth) {
  PickleBuilder pickle;
  for (int i = 0; i < depth; ++i) pickle.op('}').text("k");
  pickle.none().raw(std::string(static_cast<std::size_t>(depth), 's'));
  return pickle.finish();
}

std::vector<std::byte> lying_zip() {
  test::ZipBuilder zip;
  zip.members.push_back({"a/data.pkl", PickleBuilder().none().finish(), true});
  zip.members.back().claimed_size = std::uint64_t{1} << 40U;
  return zip.build();
}

std::vector<Hostile> hostile_files() {
  const test::TorchFile torch;
  const auto eval =
      PickleBuilder().global("builtins", "eval").mark().text("open('executed','w')").op('t').op('R').finish();
  return {
      {"eval.pth", torch.zip_around(eval), "the pickle names 'builtins.eval'"},
      {"eval_legacy.pth", torch.legacy_around(eval), "the pickle names 'builtins.eval'"},
      {"eval.pkl", eval, "the pickle names 'builtins.eval'"},
      {"deep.pth", torch.zip_around(deep_pickle(10000)), "expected a state_dict"},
      {"lying.zip", lying_zip(), "lying.zip: zip: member 'a/data.pkl'"},
      {"header.safetensors", test::ByteWriter().u64(std::uint64_t{1} << 60U).text("{}").bytes(),
       "header of 1152921504606846976 bytes"},
      {"size.tar", test::TarBuilder().add("storages", {}, std::uint64_t{1} << 35U).finish(), "the file is truncated"},
      {"path.tar", test::TarBuilder().add("../../etc/passwd", test::bytes_of("x")).finish(),
       "is a tar archive of ../../etc/passwd, without the 'storages' of torch 0.1"},
      {"out.index.json", test::bytes_of(R"({"weight_map": {"w": "../../etc/passwd"}})"),
       "refers to '../../etc/passwd'; expected the name of a file in its own folder"},
      {"deep.index.json", test::bytes_of(R"({"weight_map": )" + std::string(100000, '[')), "deep.index.json: "},
  };
}

}  // namespace

// Law: refused in one line, nothing executed, little memory, at once.
TEST_CASE("hostile files are refused in one line, under 200 MB and at once", "[cli]") {
  const test::Workplace place;
  for (const Hostile& file : hostile_files()) {
    CAPTURE(file.name);
    write_file(place / file.name, file.bytes);
    test::check_refused(place, {"inspect", file.name}, 3, file.line);
    const test::Call call = test::shiftnorm(place.path(), {"inspect", file.name});
#ifndef __SANITIZE_ADDRESS__
    CHECK(call.peak_kilobytes < 200L * 1024);
#endif
    // A second of its own work: other programs on a busy machine do not count.
    CHECK(call.processor_seconds < 1.0);
  }
  CHECK_FALSE(std::filesystem::exists(place / "executed"));
}
