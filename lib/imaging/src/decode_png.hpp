#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a PNG file, by libpng. tRNS, gAMA, colour profiles and texts are ignored, as PIL ignores them; of an
/// animation the default picture. Chunks that carry pixels must have their right checksum. As decode_image().
[[nodiscard]] Image decode_png(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
