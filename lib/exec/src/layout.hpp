#pragma once

#include <cstddef>
#include <cstdint>

#include "shiftnorm/core/shape.hpp"

namespace shiftnorm::exec {

/// How one image's activation lies in memory. block = 1: plain row-major [C, spatial]. block = 8 or 16: channels in
/// blocks, [ceil(C / block), spatial, block], the channels beyond C kept finite and ignored.
struct Layout {
  std::int64_t channels = 1;  ///< C; 1 for rank below 2
  std::int64_t pixels = 1;    ///< product of the spatial extents
  std::int64_t block = 1;

  [[nodiscard]] std::int64_t blocks() const noexcept { return (channels + block - 1) / block; }
  [[nodiscard]] std::int64_t padded_channels() const noexcept { return blocks() * block; }
  [[nodiscard]] std::int64_t floats() const noexcept { return padded_channels() * pixels; }
  [[nodiscard]] std::int64_t at(std::int64_t channel, std::int64_t pixel) const noexcept {
    return (channel / block * pixels + pixel) * block + channel % block;
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// Layout of a shape with N = 1 in front. A shape with anything else there (images counted along a later axis) is one
/// plain row.
[[nodiscard]] inline Layout layout_of(const Shape& shape, std::int64_t block) {
  if (shape.rank() < 2 || shape[0] != 1) return {1, shape.elements(), 1};
  return {shape[1], shape.elements_from(2), block};
}

}  // namespace shiftnorm::exec
