#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a WebP file, by libwebp; of an animation the first frame, which must cover its canvas.
/// As decode_image().
[[nodiscard]] Image decode_webp(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
