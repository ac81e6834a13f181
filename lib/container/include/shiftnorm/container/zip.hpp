#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::container {

/// One member of a zip archive and where its parts lie, so that a stored member can be patched in place.
struct ZipMember {
  std::string name;
  std::uint64_t data_offset = 0;  ///< first byte of its (stored or compressed) data, from the file's start
  std::uint64_t compressed_size = 0, size = 0;
  bool stored = true;  ///< method 0; otherwise deflate (8)
  std::uint32_t crc = 0;
  std::uint64_t central_crc_offset = 0;     ///< where the central directory keeps the CRC
  std::uint64_t local_crc_offset = 0;       ///< where the local header keeps it, or 0 when it has none
  std::uint64_t descriptor_crc_offset = 0;  ///< where a data descriptor keeps it, or 0
};

/// Reads the central directory (zip and zip64) and checks it against the local headers: ranges inside the file,
/// no overlap between members, no encryption, methods 0 and 8 only. No libzip: its readers do not give offsets.
/// Errors  FormatError, UnsupportedError.
[[nodiscard]] std::vector<ZipMember> index_zip(std::span<const std::byte> file);

/// The member's content. `limit` bounds the size before memory is taken; the CRC is checked.
[[nodiscard]] std::vector<std::byte> read_member(std::span<const std::byte> file, const ZipMember& member,
                                                 std::uint64_t limit);

[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace shiftnorm::container
