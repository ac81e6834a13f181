#pragma once

#include <cstdint>

#include "hdf5_header.hpp"

namespace shiftnorm::container::hdf5 {

/// Of metadata: Bob Jenkins' lookup3, hashlittle() with 0. Source  burtleburtle.net/bob/c/lookup3.c (public domain).
[[nodiscard]] std::uint32_t lookup3(Bytes bytes);
/// Of the filter fletcher32: over numbers of 16 bits, their first byte the higher one.
[[nodiscard]] std::uint32_t fletcher32(Bytes bytes);

/// Little-endian into the file.
void put_number(std::vector<std::byte>& file, std::uint64_t at, std::uint64_t value, unsigned width);
/// The checksum of [begin, end) at `end`.
void put_checksum(std::vector<std::byte>& file, std::uint64_t begin, std::uint64_t end);

}  // namespace shiftnorm::container::hdf5
