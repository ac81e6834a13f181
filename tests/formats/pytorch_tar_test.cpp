#include <bit>
#include <catch2/catch.hpp>

#include "container/tar_builder.hpp"
#include "formats/pickle_builder.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::ByteWriter, test::PickleBuilder;

namespace {

/// What torch 0.1 saved: storages 10 (six floats) and 11, a view of its elements 2 to 5; tensors 20 [2, 2] transposed
/// on storage 10 and 21 [2] on the view; a state dict of both. tests/parity/written_files_parity.py writes the same
/// layout and lets torch.load read it.
struct OldFile {
  std::vector<std::byte> storages, tensors;
  PickleBuilder object;
  bool little_endian = true;

  OldFile() {
    ByteWriter s;
    s.raw(PickleBuilder().integer(1).finish());
    s.raw(PickleBuilder().mark().integer(10).text("cpu").global("torch", "FloatStorage").op('t').finish()).u64(6);
    for (const float v : {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}) s.u32(std::bit_cast<std::uint32_t>(v));
    s.raw(PickleBuilder().op(']').integers({11, 10, 2, 3}).op('a').finish());
    storages = s.bytes();
    ByteWriter t;
    t.raw(PickleBuilder().integer(2).finish());
    const auto describe = [&t](std::int64_t key, std::int64_t storage, const std::vector<std::uint64_t>& numbers) {
      PickleBuilder facts;
      facts.mark().integer(key).integer(storage).global("torch", "FloatTensor").op('t');
      t.raw(facts.finish());
      for (const std::uint64_t n : numbers) t.u64(n);
    };
    describe(20, 10, {2, 2, 2, 1, 2, 0});
    describe(21, 11, {1, 2, 1, 1});
    tensors = t.bytes();
    object.empty_ordered_dict().mark().text("w").text("20").op('Q').text("m").text("21").op('Q').op('u');
  }

  [[nodiscard]] std::vector<std::byte> finish() const {
    PickleBuilder facts;
    facts.op('}').text("little_endian").boolean(little_endian).op('s');
    return test::TarBuilder()
        .add("sys_info", facts.finish())
        .add("pickle", object.finish())
        .add("tensors", tensors)
        .add("storages", storages)
        .finish();
  }
};

Checkpoint parse(const OldFile& file) { return parse_checkpoint(file.finish(), "old.pth.tar"); }

}  // namespace

// Oracle: the numbers above laid out by hand as torch 0.1 strides them.
TEST_CASE("The tar container of torch 0.1 is read and written back in place", "[formats]") {
  const OldFile file;
  const Checkpoint checkpoint = parse(file);
  CHECK(checkpoint.format == "pytorch-tar");
  CHECK(checkpoint.find("w")->values.to_float() == std::vector<float>{1, 3, 2, 4});
  CHECK(checkpoint.find("m")->values.to_float() == std::vector<float>{4, 5});
  const std::vector<Patch> patches{{"m", {-4, -5}}};
  const Checkpoint again = parse_checkpoint(patched(checkpoint, patches), "old.pth.tar");
  CHECK(again.find("m")->values.to_float() == std::vector<float>{-4, -5});
  CHECK(again.find("w")->values.to_float() == std::vector<float>{1, 3, 2, -4});  // it shares the storage
}

// Law: keys, counts and names are checked before they are used.
TEST_CASE("A tar container that lies is refused", "[formats]") {
  OldFile file;
  SECTION("big-endian numbers") {
    file.little_endian = false;
    CHECK_THROWS_AS(parse(file), UnsupportedError);
  }
  SECTION("a tensor that is not in the file") {
    file.object = PickleBuilder();
    file.object.text("99").op('Q');
    CHECK_THROWS_WITH(parse(file), Contains("storage '99' is not in the file"));
  }
  SECTION("a storage of 2^40 elements") {
    file.storages =
        ByteWriter()
            .raw(PickleBuilder().integer(1).finish())
            .raw(PickleBuilder().mark().integer(10).text("cpu").global("torch", "FloatStorage").op('t').finish())
            .u64(std::uint64_t{1} << 40U)
            .bytes();
    CHECK_THROWS_WITH(parse(file), Contains("storage '10' has 1099511627776 elements; 0 bytes are left"));
  }
  SECTION("a name that runs") {
    file.object = PickleBuilder();
    file.object.global("os", "system").text("touch executed").byte(0x85).op('R');
    CHECK_THROWS_WITH(parse(file), Contains("the pickle names 'os.system'"));
  }
}

// Law: a damaged file is read or refused, never worse. Each byte of the six floats holds any number; headers of tar's
// members have checksums, and most of the pickles' bytes mean something.
TEST_CASE("Damaged tar containers never crash the reader", "[formats]") {
  const auto file = OldFile().finish();
  std::size_t read = 0, refused = 0;
  for (std::size_t at = 0; at < file.size(); ++at) {
    auto damaged = file;
    damaged[at] ^= std::byte{0x55};
    try {
      const Checkpoint checkpoint = parse_checkpoint(damaged, "old.pth.tar");
      CHECK(!checkpoint.tensors.empty());
      ++read;
    } catch (const Error& error) {
      CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
      ++refused;
    }
  }
  CAPTURE(read, refused);
  CHECK(read >= 6 * sizeof(float));
  CHECK(refused >= 4 * 200);  // of each member's header at least the name, the size and the checksum
}
