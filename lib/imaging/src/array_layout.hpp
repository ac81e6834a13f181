#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::imaging {

/// Which stored axis each axis of a sample is read from: C first, then T, L, D, H, W, as far as the array has them.
struct ArrayLayout {
  struct Axis {
    char letter = 0;  ///< 0: unnamed
    std::int64_t extent = 1, stride = 0;
  };
  std::vector<Axis> axes;  ///< of a sample, without N, in the network's order; strides in elements

  [[nodiscard]] Shape shape() const;
  [[nodiscard]] const Axis* find(char letter) const;
  /// Whether a sample lies in memory as the network takes it.
  [[nodiscard]] bool in_place() const;
};

/// Reads `letters` ("NHWC"; checked by check_layout) for an array of this shape, N first. An array without C gets one
/// channel. Empty letters: an array of image dtype and shape is read as images, another one as it lies.
/// Errors  ConfigError if the rank differs, or if there are no samples along a first axis.
[[nodiscard]] ArrayLayout layout_of(const Shape& shape, DType type, const std::string& letters);

/// Whether samples of this dtype and layout are images: 8 or 16 unsigned bits, H and W and 1, 3 or 4 channels alone.
[[nodiscard]] bool images_of(const ArrayLayout& layout, DType type);

}  // namespace shiftnorm::imaging
