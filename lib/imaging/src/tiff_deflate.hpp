#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace shiftnorm::imaging {

/// How decoded rows were turned into the bytes that were compressed.
struct DeflateRows {
  std::size_t row_bytes = 0;
  std::size_t sample_bytes = 1;  ///< 1, 2 or 4
  std::size_t stride = 1;        ///< samples from a pixel to its neighbour
  int predictor = 1;             ///< 1 none, 2 differences of samples, 3 of the bytes of floats
  bool swapped = false;          ///< the file has the other order of bytes
  bool reversed = false;         ///< FillOrder 2: the bits of each stored byte
};

/// Whether a strip or tile has the checksum of its stream. libtiff does not ask where damage makes a stream longer than
/// its rows, and then leaves the last bytes as they were. `most`: bytes that the stream may hold, as last strips with
/// the rows of a whole one exist.
[[nodiscard]] bool deflate_checks(std::span<const std::byte> stored, std::span<const std::byte> rows,
                                  const DeflateRows& form, std::size_t most);

}  // namespace shiftnorm::imaging
