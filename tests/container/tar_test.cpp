#include "shiftnorm/container/tar.hpp"

#include <catch2/catch.hpp>

#include "container/tar_builder.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using test::TarBuilder;

// Oracle: the builder, which Python's tarfile reads: tarfile.open(f).getmembers() gives these names, offsets and sizes.
TEST_CASE("A tar archive tells where its plain files lie", "[container]") {
  const auto file = TarBuilder()
                        .add("folder/", {}, std::nullopt, '5')
                        .add("a", test::bytes_of("hello"))
                        .add("link", {}, std::nullopt, '2')
                        .add("b", test::bytes_of(std::string(513, 'x')))
                        .finish();
  const auto members = container::index_tar(file);
  REQUIRE(members.size() == 2);
  CHECK(members[0].name == "a");
  CHECK(members[0].data_offset == 1024);
  CHECK(members[0].size == 5);
  CHECK(members[1].name == "b");
  CHECK(members[1].data_offset == 2560);
  CHECK(members[1].size == 513);
}

// Oracle: POSIX.1-1988 (ustar): the checksum is the sum of the header with its own field as blanks.
TEST_CASE("A tar archive that lies is refused", "[container]") {
  CHECK_THROWS_WITH(container::index_tar(TarBuilder().add("a", {}, std::uint64_t{1} << 32U).finish()),
                    Contains("tar: member 'a' has 4294967296 bytes; 1024 are left: the file is truncated"));
  auto damaged = TarBuilder().add("a", {}).finish();
  damaged[0] = std::byte{'b'};
  CHECK_THROWS_WITH(container::index_tar(damaged), Contains("('b') is damaged: its checksum is wrong"));
  auto letters = TarBuilder().add("a", {}).finish();
  letters[148] = std::byte{'9'};
  CHECK_THROWS_AS(container::index_tar(letters), FormatError);
}

// Law: a cut archive is read as far as it goes, or refused.
TEST_CASE("Damaged tar archives never crash the reader", "[container]") {
  const auto file = TarBuilder().add("a", test::bytes_of("hello")).finish();
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    const std::vector<std::byte> part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(cut));
    try {
      (void)container::index_tar(part);
    } catch (const FormatError&) {
    }
  }
  CHECK(container::index_tar(std::span(file).first(400)).empty());
}
