#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of the first directory of a TIFF or BigTIFF file, by libtiff, turned upright by its orientation. Floats
/// and signed 16-bit integers become `reals`; integers of 32 bits do as long as float holds them exactly. As
/// decode_image().
[[nodiscard]] Image decode_tiff(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
