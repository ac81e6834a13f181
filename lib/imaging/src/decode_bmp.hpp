#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a Windows or OS/2 bitmap: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, masks of PIL's layouts,
/// runs (RLE4, RLE8), rows from below or from the top. 1 channel where the palette is a grey ramp, as PIL has it. As
/// decode_image().
[[nodiscard]] Image decode_bmp(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
