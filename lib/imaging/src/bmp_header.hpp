#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::imaging {

enum class BmpCompression : std::uint8_t { none, runs8, runs4, masks };

/// What a bitmap says of itself, checked.
struct BmpHeader {
  std::int64_t height = 0, width = 0;
  bool from_the_top = false;  ///< else the last row is stored first
  int bits = 0;               ///< of a pixel: 1, 4, 8, 16, 24 or 32
  BmpCompression compression = BmpCompression::none;
  std::array<std::uint32_t, 3> masks{};              ///< 16 and 32 bits: where red, green and blue lie
  std::vector<std::array<std::uint8_t, 3>> colours;  ///< up to 8 bits: the palette
  bool grey = false;                                 ///< the palette is PIL's idea of a grey ramp: 1 channel
  std::uint64_t data_at = 0;
};

/// Reads the headers of BITMAPCOREHEADER (OS/2 1), OS/2 2, INFO, V4 and V5, and the palette; checks sizes and, where
/// rows have a fixed length, that the file holds them all. Errors  FormatError, UnsupportedError.
[[nodiscard]] BmpHeader read_bmp_header(std::span<const std::byte> file);

/// Bytes of a row that is not compressed.
[[nodiscard]] std::uint64_t row_bytes(const BmpHeader& header);

}  // namespace shiftnorm::imaging
