#pragma once

#include <cstddef>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of one image file, as PIL's convert() gives them: 1 channel for grey, 3 (RGB) for everything else; alpha
/// dropped, palettes expanded, CMYK as Adobe writes it, EXIF orientation ignored. 16-bit files keep 16 bits.
/// Takes the bytes: they are mended before decoding (see image_header.hpp). Safe from several threads.
/// Errors  FormatError, UnsupportedError; texts have no `where`.
[[nodiscard]] Image decode_image(std::vector<std::byte> file);

}  // namespace shiftnorm::imaging
