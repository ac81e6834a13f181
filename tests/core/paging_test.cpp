#include "shiftnorm/core/paging.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "shiftnorm/core/aligned.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;

// Law: what is let go comes back from the file as it was.
TEST_CASE("A file in memory keeps its values, whatever parts are let go and read ahead") {
  const test::TempDir folder;
  const Arena arena(100000, folder.path().c_str());
  std::memset(arena.data(), 7, arena.bytes());
  for (const std::size_t offset : {std::size_t{0}, std::size_t{5000}, std::size_t{8192}, std::size_t{99000}}) {
    let_go(arena.data() + offset, std::min<std::size_t>(60000, arena.bytes() - offset));
    read_ahead(arena.data() + offset, std::min<std::size_t>(60000, arena.bytes() - offset));
  }
  CHECK(std::all_of(arena.data(), arena.data() + arena.bytes(), [](std::byte b) { return b == std::byte{7}; }));
}
