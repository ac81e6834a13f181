#pragma once

#include <cstdint>
#include <vector>

#include "settings.hpp"

namespace shiftnorm::formats::keras {

enum class Padding { valid, same, causal };
[[nodiscard]] Padding padding_of(const Settings& settings);

/// Spatial attributes of a convolution or pooling as ONNX has them: pads first before, then behind each axis.
struct Window {
  std::vector<std::int64_t> strides, dilations, pads;

  [[nodiscard]] static Window point(std::size_t spatial) {
    return {std::vector<std::int64_t>(spatial, 1), std::vector<std::int64_t>(spatial, 1),
            std::vector<std::int64_t>(2 * spatial, 0)};
  }
};

/// Pads by the layer's padding: 'same' gives ceil(in / stride), the odd one behind, and never cuts.
[[nodiscard]] Window window(const Settings& settings, const std::vector<std::int64_t>& in,
                            const std::vector<std::int64_t>& kernel, std::vector<std::int64_t> strides,
                            std::vector<std::int64_t> dilations);

}  // namespace shiftnorm::formats::keras
