#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of one image file, as PIL's convert() gives them: 1 channel for grey, 3 (RGB) for everything else; alpha
/// dropped, palettes expanded, CMYK turned to RGB, EXIF orientation ignored, of several pictures the first. 16-bit
/// files keep 16 bits; real numbers and signed integers of TIFF are `reals` as they are. Safe from several threads.
/// A file from which any pixel is missing, or would be made up, is an error.
/// Errors  FormatError, UnsupportedError; texts have no `where`.
[[nodiscard]] Image decode_image(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
