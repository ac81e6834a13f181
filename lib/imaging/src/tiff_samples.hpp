#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"
#include "tiff_directory.hpp"

namespace shiftnorm::imaging {

/// Collects decoded rows of samples, in the order of bytes of this machine, and makes an image of them as PIL does:
/// grey spread over 8 bits and black at 0, palettes looked up, inks turned to light, colours divided by the alpha they
/// were multiplied with (these two in 8 bits). Errors  UnsupportedError for integers that no float holds.
class TiffSamples {
 public:
  explicit TiffSamples(const TiffDirectory& directory);
  /// Samples of a pixel that the image needs.
  [[nodiscard]] std::int64_t kept() const { return kept_; }
  /// `n` pixels of row y from column x on; of one plane where planes lie apart.
  void take_row(std::span<const std::byte> row, std::int64_t y, std::int64_t x, std::int64_t n, std::int64_t plane);
  [[nodiscard]] Image image() &&;

 private:
  const TiffDirectory& directory_;
  std::int64_t kept_;
  Image image_;  ///< its values still samples, kept() of each pixel
};

}  // namespace shiftnorm::imaging
