#pragma once

#include <cstddef>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// An image of 8 bits as a JPEG file by libjpeg, quality 1 to 100; colours with halved resolution of hue, as usual.
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace shiftnorm::imaging
