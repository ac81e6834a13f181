#pragma once

#include <cstddef>
#include <span>

#include "image_header.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a JPEG file with 8 bits per value, as PIL's convert() gives them: 1 channel for grey, 3 (RGB) for
/// everything else, CMYK as Adobe writes it. Nothing is said of damage that leaves an image. Safe from several threads.
/// Errors  FormatError; texts have no `where`.
[[nodiscard]] Image decode_jpeg(std::span<const std::byte> file, const ImageHeader& header);

}  // namespace shiftnorm::imaging
