#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bmp_header.hpp"

namespace shiftnorm::imaging {

/// RLE8 and RLE4: height * width indices, rows as they are stored. A run may go on beyond the end of its row (cut off,
/// as PIL does); rows that end early, jumps and missing rows are errors: what they would show is not part of the file.
/// Memory is taken as the file fills it. Errors  FormatError, UnsupportedError.
[[nodiscard]] std::vector<std::uint8_t> expand_runs(std::span<const std::byte> file, const BmpHeader& header);

}  // namespace shiftnorm::imaging
