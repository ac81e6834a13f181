#include "shiftnorm/container/zip.hpp"

#include <catch2/catch.hpp>

#include "container/bytes.hpp"
#include "container/zip_builder.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::container;
using Catch::Matchers::Contains;
using test::ZipBuilder;

namespace {

// Python 3.11: z = zipfile.ZipFile(b, 'w'); i = zipfile.ZipInfo('a.txt', (2020,1,1,0,0,0)); i.compress_type = 8;
// z.writestr(i, b'abcabcabc' * 40)
const std::string kDeflated =
    "504b0304140000000800000021507ee35823090000006801000005000000612e7478744b4c4a4e1c45b44700504b01021403140000000800"
    "000021507ee358230900000068010000050000000000000000000000800100000000612e747874504b05060000000001000100330000002c"
    "0000000000";

std::uint32_t number_at(const std::vector<std::byte>& file, std::uint64_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(file[at + i]) << (8U * i);
  return value;
}

void read_all(const std::vector<std::byte>& file) {
  for (const ZipMember& member : index_zip(file)) (void)read_member(file, member, 1U << 20U);
}

}  // namespace

// Oracle: the check value of CRC-32/ISO-HDLC in the CRC catalogue.
TEST_CASE("crc32 gives the catalogue's check value") { CHECK(crc32(test::bytes_of("123456789")) == 0xcbf43926); }

// Oracle: PKWARE's APPNOTE 4.3 to 4.5, by which the builder lays the archive out.
TEST_CASE("Stored members are found with all their offsets") {
  const bool descriptor = GENERATE(false, true), zip64 = GENERATE(false, true), zip64_end = GENERATE(false, true);
  ZipBuilder zip;
  zip.zip64_end = zip64_end;
  zip.members.push_back({"one", test::bytes_of("first content"), descriptor, zip64});
  zip.members.push_back({"two", test::bytes_of("second"), descriptor, zip64});
  zip.members.back().padding = 11;
  zip.members.push_back({"empty/", {}});
  const auto file = zip.build();
  const auto members = index_zip(file);
  REQUIRE(members.size() == 3);
  CHECK(read_member(file, members[0], 100) == test::bytes_of("first content"));
  CHECK(read_member(file, members[1], 100) == test::bytes_of("second"));
  CHECK(as_text(std::span(file).subspan(members[1].data_offset, 6)) == "second");
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(number_at(file, members[i].central_crc_offset) == members[i].crc);
    CHECK((members[i].local_crc_offset != 0) == !descriptor);
    CHECK((members[i].descriptor_crc_offset != 0) == descriptor);
    if (!descriptor) CHECK(number_at(file, members[i].local_crc_offset) == members[i].crc);
    if (descriptor) CHECK(number_at(file, members[i].descriptor_crc_offset) == members[i].crc);
  }
}

// Oracle: what Python's zipfile was given, 40 times "abcabcabc".
TEST_CASE("A deflated member of Python's zipfile is unpacked") {
  const auto file = test::from_hex(kDeflated);
  const auto members = index_zip(file);
  REQUIRE(members.size() == 1);
  CHECK_FALSE(members[0].stored);
  std::string expected;
  for (int i = 0; i < 40; ++i) expected += "abcabcabc";
  CHECK(as_text(read_member(file, members[0], 1000)) == expected);
  CHECK_THROWS_WITH(read_member(file, members[0], 100), "zip: member 'a.txt' has 360 bytes; expected at most 100");
}

// Law: what is unpacked has the size that was promised, and no more is ever unpacked.
TEST_CASE("A member whose compressed data lie about their size is refused") {
  const auto file = test::from_hex(kDeflated);
  ZipMember member = index_zip(file)[0];
  const auto [size, message] = GENERATE(table<std::uint64_t, std::string>({
      {359, "hold more than the 359 bytes promised"},
      {361, "hold 360 bytes; expected 361"},
      {std::uint64_t{1} << 40U, "9 compressed bytes cannot hold the 1099511627776 promised"},
  }));
  member.size = size;
  CHECK_THROWS_AS(read_member(file, member, UINT64_MAX), FormatError);
  CHECK_THROWS_WITH(read_member(file, member, UINT64_MAX), Contains(message));
}

// Law: one flipped bit changes a CRC-32.
TEST_CASE("A member with other content than its CRC says is refused") {
  ZipBuilder zip;
  zip.members.push_back({"m", test::bytes_of("content")});
  auto file = zip.build();
  const auto members = index_zip(file);
  file[members[0].data_offset] ^= std::byte{1};
  CHECK_THROWS_WITH(read_member(file, members[0], 100), Contains("zip: member 'm': content has CRC"));
}

// Law: no two members may claim the same bytes, and none bytes outside of the file.
TEST_CASE("Lying archives are refused") {
  ZipBuilder zip;
  zip.members.push_back({"a", test::bytes_of("aaaa")});
  zip.members.push_back({"b", test::bytes_of("bbbb")});
  ZipBuilder::Member& b = zip.members[1];
  SECTION("size beyond the file") {
    b.zip64 = true;
    b.claimed_size = std::uint64_t{1} << 62U;
    CHECK_THROWS_WITH(index_zip(zip.build()),
                      Contains("zip: member 'b': local header and directory disagree about its size"));
  }
  SECTION("size beyond the file, told later") {
    b.descriptor = true;
    b.claimed_size = 100000;
    CHECK_THROWS_WITH(index_zip(zip.build()), Contains("expected 100000: the file is truncated"));
  }
  SECTION("the same bytes twice") {
    b = zip.members[0];
    b.claimed_header = 0;
    CHECK_THROWS_WITH(index_zip(zip.build()), Contains("zip: two members are named 'a'"));
  }
  SECTION("a member inside another") {
    ZipBuilder inner;
    inner.members.push_back({"b", test::bytes_of("bbbb")});
    zip.members[0].content = inner.build();
    b.claimed_header = 31;
    CHECK_THROWS_WITH(index_zip(zip.build()),
                      Contains("zip: member 'a' ends at byte") && Contains("overlaps what begins at byte 31"));
  }
  SECTION("a header elsewhere") {
    b.claimed_header = 5;
    CHECK_THROWS_WITH(index_zip(zip.build()), "zip: member 'b' has no local header at byte 5");
  }
  SECTION("more members than the directory has room for") {
    zip.zip64_end = true;
    auto file = zip.build();
    file[file.size() - 22 - 20 - 56 + 32 + 6] = std::byte{0xff};
    CHECK_THROWS_WITH(index_zip(file), Contains("members in a directory of"));
  }
  SECTION("encrypted") {
    b.flags = 1;
    CHECK_THROWS_AS(index_zip(zip.build()), UnsupportedError);
    CHECK_THROWS_WITH(index_zip(zip.build()), "zip: member 'b' is encrypted");
  }
  SECTION("another compression") {
    b.method = 12;
    CHECK_THROWS_AS(index_zip(zip.build()), UnsupportedError);
    CHECK_THROWS_WITH(index_zip(zip.build()),
                      "zip: member 'b' is compressed by method 12; supported are 0 (stored) and 8 (deflate)");
  }
}

// Law: an archive ends with an end record.
TEST_CASE("No archive at all") {
  CHECK_THROWS_WITH(index_zip({}), "zip: has no end record: the file is truncated");
  CHECK_THROWS_WITH(index_zip(test::bytes_of(std::string(100, 'x'))), "zip: has no end record: the file is truncated");
}

// Law: a damaged archive is read or refused, and one that was cut is refused.
TEST_CASE("A damaged archive never crashes the reader") {
  ZipBuilder zip;
  zip.members.push_back({"one", test::bytes_of("content"), true, false});
  zip.members.push_back({"two", test::bytes_of("content"), false, true});
  zip.zip64_end = true;
  CHECK(test::accepted_when_damaged(zip.build(), read_all) == 0);
  CHECK(test::accepted_when_damaged(test::from_hex(kDeflated), read_all) == 0);
}

// Oracle: PyTorch's own archive; every CRC in it must be what its bytes give.
TEST_CASE("PyTorch's archives are read") {
  const auto shared = test::shared_data("PyTorch's archives are read");
  if (!shared) return;
  const auto file = read_file(*shared / "data/variants/resnet20_zip.pth");
  const auto members = index_zip(file);
  CHECK(members.size() == 118);
  for (const ZipMember& member : members) {
    CHECK(member.stored);
    CHECK(member.data_offset % 64 == 0);
    CHECK(read_member(file, member, 1U << 20U).size() == member.size);
  }
}
