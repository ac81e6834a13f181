#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "formats/torch_file.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::TorchFile;

namespace {

std::vector<std::uint64_t> differences(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
  REQUIRE(a.size() == b.size());
  std::vector<std::uint64_t> at;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) at.push_back(i);
  return at;
}

TorchFile two_vectors() {
  TorchFile file;
  file.views = {{"w", file.add_floats("0", {1, 2, 3}), 0, {3}, {1}},
                {"m", file.add_floats("1", {4, 5, 6, 7}), 0, {2, 2}, {1, 2}}};
  return file;
}

}  // namespace

// Law: only the bytes of the patched values and their checksums differ.
TEST_CASE("A patch changes its own bytes and the checksums, and is read back") {
  const bool zip = GENERATE(false, true);
  const Checkpoint checkpoint = parse_checkpoint(two_vectors().build(zip), "net.pth");
  const std::vector<Patch> patches{{"m", {-1, -2, -3, 0.1}}};
  const auto file = patched(checkpoint, patches);
  const Checkpoint again = parse_checkpoint(file, "net.pth");
  CHECK(again.find("w")->values.to_float() == std::vector<float>{1, 2, 3});
  CHECK(again.find("m")->values.to_float() == std::vector<float>{-1, -2, -3, 0.1f});

  const std::uint64_t begin = checkpoint.find("m")->origin->offset;
  std::size_t outside = 0;
  for (const std::uint64_t at : differences(checkpoint.bytes, file))
    if (at < begin || at >= begin + 16) ++outside;
  if (!zip) CHECK(outside == 0);
  if (zip) {
    // The CRC in the descriptor and in the directory, four bytes each.
    CHECK(outside > 0);
    CHECK(outside <= 8);
    for (const container::ZipMember& member : container::index_zip(file))
      CHECK_NOTHROW((void)container::read_member(file, member, 1000));
  }
}

// Law: an archive that was written back is whole, wherever its checksums are.
TEST_CASE("The CRC in a local header is mended as well") {
  test::ZipBuilder zip;
  const TorchFile source = test::one_vector("m", {1, 2});
  zip.members.push_back({"data.pkl", source.object(false)});
  zip.members.push_back({"data/0", source.storages[0].bytes});
  const Checkpoint checkpoint = parse_checkpoint(zip.build(), "net.pth");
  const auto file = patched(checkpoint, std::vector<Patch>{{"m", {3, 4}}});
  CHECK(parse_checkpoint(file, "net.pth").tensors[0].values.to_float() == std::vector<float>{3, 4});
}

// Law: what does not change leaves the file as it was, to the byte.
TEST_CASE("Patching with the values that are there changes nothing") {
  const bool zip = GENERATE(false, true);
  const Checkpoint checkpoint = parse_checkpoint(two_vectors().build(zip), "net.pth");
  std::vector<Patch> patches;
  for (const NamedTensor& t : checkpoint.tensors) patches.push_back({t.name, t.values.to_double()});
  CHECK(patched(checkpoint, patches) == checkpoint.bytes);
  CHECK(patched(checkpoint, {}) == checkpoint.bytes);
}

// Oracle: IEEE 754 binary16 and bfloat16 by hand: 2049 lies between the halves 2048 and 2050 and goes to even;
// 257 lies between the bfloat16s 256 and 258 and goes to even.
TEST_CASE("Values are rounded to the stored dtype") {
  const auto [type, value, stored] =
      GENERATE(table<std::string, double, double>({{"HalfStorage", 2049, 2048},
                                                   {"BFloat16Storage", 257, 256},
                                                   {"FloatStorage", 0.1, 0.10000000149011612},
                                                   {"DoubleStorage", 0.1, 0.1}}));
  TorchFile file;
  const std::size_t width = type == "DoubleStorage" ? 8 : type == "FloatStorage" ? 4 : 2;
  file.storages.push_back({"0", type, 1, std::vector<std::byte>(width)});
  file.views = {{"x", 0, 0, {1}, {1}}};
  const Checkpoint checkpoint = parse_checkpoint(file.zip(), "net.pth");
  const Checkpoint again = parse_checkpoint(patched(checkpoint, std::vector<Patch>{{"x", {value}}}), "net.pth");
  CHECK(again.tensors[0].values.to_double()[0] == stored);
}

// Law: only the bytes of the patched values differ.
TEST_CASE("safetensors is patched in place") {
  const float values[] = {1, 2, 3, 4};
  const std::vector<std::pair<std::string, Array>> arrays{{"a", Array::from_floats({2, 2}, values)},
                                                          {"b", Array::from_floats({4}, values)}};
  const Checkpoint checkpoint = parse_checkpoint(container::write_safetensors(arrays), "n.safetensors");
  const auto file = patched(checkpoint, std::vector<Patch>{{"a", {5, 6, 7, 8}}});
  const auto read = container::read_safetensors(file);
  CHECK(read.at("a").to_float() == std::vector<float>{5, 6, 7, 8});
  CHECK(read.at("b").to_float() == std::vector<float>{1, 2, 3, 4});
  for (const std::uint64_t at : differences(checkpoint.bytes, file)) {
    CHECK(at >= checkpoint.tensors[0].origin->offset);
    CHECK(at < checkpoint.tensors[0].origin->offset + 16);
  }
}

// Law: one place has one value.
TEST_CASE("Names that share their place must be given the same values") {
  TorchFile file;
  const std::size_t s = file.add_floats("0", {1, 2, 3});
  file.views = {{"a", s, 0, {2}, {1}}, {"b", s, 0, {2}, {1}}, {"c", s, 1, {2}, {1}}};
  const Checkpoint checkpoint = parse_checkpoint(file.legacy(), "net.pth");
  CHECK_NOTHROW(patched(checkpoint, std::vector<Patch>{{"a", {5, 6}}, {"b", {5, 6}}, {"c", {6, 7}}}));
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"a", {5, 6}}, {"b", {5, 7}}}),
                    "net.pth: 'a' and 'b' share storage in the file and are given different values; expected the same");
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"a", {5, 6}}, {"c", {5, 7}}}),
                    Contains("'a' and 'c' share"));
  CHECK_THROWS_AS(patched(checkpoint, std::vector<Patch>{{"a", {5, 6}}, {"b", {5, 7}}}), UnsupportedError);
}

// Law: nothing is written that the type or shape does not hold.
TEST_CASE("Patches that do not fit are refused") {
  TorchFile source = two_vectors();
  source.storages.push_back({"2", "HalfStorage", 1, std::vector<std::byte>(2)});
  source.storages.push_back({"3", "LongStorage", 1, std::vector<std::byte>(8)});
  source.views.push_back({"half", 2, 0, {1}, {1}});
  source.views.push_back({"count", 3, 0, {1}, {1}});
  const Checkpoint checkpoint = parse_checkpoint(source.zip(), "net.pth");
  CHECK_THROWS_AS(patched(checkpoint, std::vector<Patch>{{"w", {1}}}), ShapeError);
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"w", {1}}}),
                    "net.pth: tensor 'w': given 1 values; expected 3 of shape [3]");
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"absent", {1}}}),
                    "net.pth: tensor 'absent' is not in the file");
  CHECK_THROWS_AS(patched(checkpoint, std::vector<Patch>{{"half", {1e6}}}), UnsupportedError);
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"half", {1e6}}}),
                    Contains("net.pth: tensor 'half': value 1000000"));
  CHECK_THROWS_AS(patched(checkpoint, std::vector<Patch>{{"count", {1}}}), UnsupportedError);
}

// Oracle: Python 3.11: c = zlib.compressobj(9, zlib.DEFLATED, -15); c.compress(struct.pack('<2f', 1, 2)) + c.flush()
TEST_CASE("A compressed storage is read but cannot be written back") {
  const TorchFile source = test::one_vector("m", {1, 2});
  test::ZipBuilder zip;
  zip.members.push_back({"data.pkl", source.object(false)});
  zip.members.push_back({"data/0", test::from_hex("636068b0676060700000")});
  zip.members[1].method = 8;
  zip.members[1].unpacked = source.storages[0].bytes;
  const Checkpoint checkpoint = parse_checkpoint(zip.build(), "net.pth");
  CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{1, 2});
  CHECK_FALSE(checkpoint.tensors[0].origin.has_value());
  CHECK_THROWS_AS(patched(checkpoint, std::vector<Patch>{{"m", {3, 4}}}), UnsupportedError);
  CHECK_THROWS_WITH(patched(checkpoint, std::vector<Patch>{{"m", {3, 4}}}),
                    "net.pth: tensor 'm': cannot be written back: its values are compressed in the file");
}
