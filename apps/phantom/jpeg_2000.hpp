#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::phantom {

/// A lossless JPEG 2000 codestream of a square grey picture, values of `bits` bits. Errors  Error if OpenJPEG fails.
[[nodiscard]] std::vector<std::uint8_t> encode_jpeg_2000(std::span<const std::uint16_t> values, std::size_t side,
                                                         int bits);

}  // namespace shiftnorm::phantom
