#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::container {

/// Raw DEFLATE (RFC 1951) data that must unpack to exactly `size` bytes.
/// Memory is taken only after checking that the data could hold so much.
/// Errors  FormatError.
[[nodiscard]] std::vector<std::byte> inflate_raw(std::span<const std::byte> packed, std::uint64_t size);

/// The same for a zlib stream (RFC 1950), as HDF5 keeps it, whose checksum is verified.
[[nodiscard]] std::vector<std::byte> inflate_zlib(std::span<const std::byte> packed, std::uint64_t size);
/// A zlib stream of `data`. level  0 to 9
[[nodiscard]] std::vector<std::byte> deflate_zlib(std::span<const std::byte> data, int level);

}  // namespace shiftnorm::container
