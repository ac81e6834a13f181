#include "shiftnorm/core/aligned.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;

namespace {

bool all_zero(const Arena& arena) {
  return std::all_of(arena.data(), arena.data() + arena.bytes(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

// Law: addresses are multiples of the alignment.
TEST_CASE("AlignedVector starts on a cache line for every length") {
  for (std::size_t n = 1; n < 70; ++n)
    CHECK(reinterpret_cast<std::uintptr_t>(AlignedVector<float>(n).data()) % kAlignment == 0);
  CHECK_THROWS_AS(AlignedAllocator<double>().allocate(SIZE_MAX / 4), std::bad_array_new_length);
}

// Law: moving keeps the place and its bytes, and a scratch file leaves no name.
TEST_CASE("Arena is zeroed, writable and movable, in memory and on disk") {
  const test::TempDir folder;
  for (const char* scratch : {static_cast<const char*>(nullptr), folder.path().c_str()}) {
    Arena arena(100000, scratch);
    REQUIRE(arena.bytes() == 100000);
    CHECK(all_zero(arena));
    std::memset(arena.data(), 7, arena.bytes());
    const std::byte* place = arena.data();
    Arena moved(std::move(arena));
    CHECK(moved.data() == place);
    Arena assigned;
    assigned = std::move(moved);
    CHECK(assigned.data() == place);
    CHECK(assigned.data()[99999] == std::byte{7});
    CHECK(std::filesystem::is_empty(folder.path()));  // the scratch file has no name that could be left behind
  }
  CHECK(Arena(0).data() == nullptr);
}

// Law: what the machine cannot give is an error, not a crash.
TEST_CASE("Arena reports a machine that cannot give what is asked") {
  CHECK_THROWS_AS(Arena(std::size_t{1} << 60), MachineError);
  CHECK_THROWS_WITH(Arena(1, "/nowhere/at/all"), "scratch directory: No such file or directory");
}
