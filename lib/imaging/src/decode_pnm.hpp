#pragma once

#include <cstddef>
#include <span>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The pixels of a PBM, PGM or PPM file (P1 to P6). Values are scaled as PIL does: grey of a maximum above 255 to 16
/// bits, everything else to 8. As decode_image().
[[nodiscard]] Image decode_pnm(std::span<const std::byte> file);

}  // namespace shiftnorm::imaging
