#pragma once

#include <cstdint>

namespace shiftnorm::imaging::dicom {

/// Everything that bounds what one object may cost (docs/reference/dicom.md#limits). The one place.
struct Limits {
  std::uint64_t file_bytes = std::uint64_t{2} << 30;
  std::uint64_t element_bytes = std::uint64_t{64} << 20;  ///< any element but the pixel data
  std::int64_t depth = 64;                                ///< sequences inside sequences
  std::int64_t elements = 1'500'000;  ///< elements and items; DCMTK spends hundreds of bytes on each
  std::int64_t side = 32768;          ///< Rows, Columns
  std::int64_t frame_pixels = std::int64_t{256} << 20;
  std::int64_t frames = 20'000;
  std::uint64_t decoded_bytes = std::uint64_t{4} << 30;  ///< all frames of one object
  std::uint64_t inflated_floor = std::uint64_t{128} << 20;
  std::uint64_t inflate_ratio = 100;                     ///< a deflated object may be so much larger, or inflated_floor
  std::uint64_t helper_memory = std::uint64_t{2} << 30;  ///< address space above the helper's at its start
  double cpu_seconds = 10, cpu_seconds_per_10_mib = 1;
  double wall_seconds = 60;
  std::int64_t archive_members = 1 << 20;
  std::uint64_t archive_bytes = std::uint64_t{64} << 30;  ///< of all members, unpacked
  std::uint64_t archive_ratio = 200;                      ///< a member may be so much larger than its compressed data
};

}  // namespace shiftnorm::imaging::dicom
