#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "container/bytes.hpp"
#include "inflate.hpp"

namespace shiftnorm::test {

/// A file of `size` bytes, deflated, in hexadecimal.
struct DeflatedFile {
  std::size_t size;
  std::string_view hex;
};

inline std::vector<std::byte> unpacked(const DeflatedFile& file) {
  return container::inflate_raw(from_hex(file.hex), file.size);
}

}  // namespace shiftnorm::test
