#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/core/names.hpp"

namespace shiftnorm::imaging {

enum class TiffColour : std::uint8_t { grey, palette, rgb, cmyk, ycbcr };
enum class TiffNumber : std::uint8_t { whole = 1, whole_signed = 2, real = 3 };
inline constexpr auto kTiffNumbers = names<Named<TiffNumber>>("number", {{"unsigned integers", TiffNumber::whole},
                                                                         {"signed integers", TiffNumber::whole_signed},
                                                                         {"real numbers", TiffNumber::real}});

/// What the first directory of a TIFF or BigTIFF file says, as far as it decides what the pixels are.
struct TiffDirectory {
  std::int64_t height = 0, width = 0;  ///< as stored, before `orientation`
  TiffColour colour = TiffColour::grey;
  bool white_is_zero = false;
  std::uint16_t photometric = 0, compression = 1;  ///< their numbers in the file
  TiffNumber number = TiffNumber::whole;
  int bits = 1;                ///< of each sample
  std::int64_t samples = 1;    ///< per pixel, the first ones the colour's
  bool premultiplied = false;  ///< the sample behind the colour's is an alpha that they were multiplied by
  bool planes_apart = false;
  bool tiled = false;
  std::int64_t block_height = 0, block_width = 0;  ///< of strips and tiles
  std::vector<std::span<const std::byte>> blocks;  ///< them as stored; empty if no lengths are given
  bool big_endian = false, bits_reversed = false;  ///< FillOrder 2
  int orientation = 1;                             ///< 1..8
  std::vector<std::uint8_t> colours;               ///< palette: all red ones, then green, then blue
};

/// Reads the directory by itself, so that libtiff is asked only for files whose parts fit each other: the kinds of
/// pixels are PIL's (unknown ones are refused by name), sizes within limits, and all strips or tiles within the file.
/// Errors  FormatError, UnsupportedError.
[[nodiscard]] TiffDirectory read_tiff_directory(std::span<const std::byte> file);

/// Samples that colours need: 1, 3 or 4.
[[nodiscard]] std::int64_t colour_samples(TiffColour colour);

}  // namespace shiftnorm::imaging
