#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a JPEG file with 8 bits per value, by libjpeg: 1 channel for grey, 3 (RGB) for everything else, CMYK
/// as Adobe writes it. What libjpeg would make up for data that are missing or no codes of the file's is an error; a
/// wrong value that is a valid code goes unnoticed. As decode_image().
[[nodiscard]] Image decode_jpeg(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
