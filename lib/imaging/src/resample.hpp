#pragma once

#include <cstdint>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {

/// A rectangle of pixels.
struct Window {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};

/// Filter weights that turn one axis of `in` samples into output samples begin .. begin + n of `out`.
/// Source  PIL's Resample.c, precompute_coeffs(): the filter is widened by the scale when shrinking.
struct Taps {
  std::int64_t stride = 0;                 ///< weights per output sample
  std::vector<std::int64_t> first, count;  ///< per output sample: input samples first .. first + count
  std::vector<double> weights;             ///< stride per output sample; they sum to 1
};
[[nodiscard]] Taps antialiased_taps(std::int64_t in, std::int64_t out, std::int64_t begin, std::int64_t n,
                                    Interpolation interpolation);

/// The pixels of `window` of the image that resizing `image` to height x width would give; nothing outside is computed.
/// antialias: PIL's resize, to the bit for 8 bits (fixed point, horizontal pass first, both rounded); 16 bits as PIL's
/// 32-bit integers, real numbers as PIL's mode "F". Otherwise torchvision's resize of a tensor (align_corners = false),
/// in float. Nearest is PIL's either way. `window` lies inside height x width.
[[nodiscard]] Image resample(const Image& image, std::int64_t height, std::int64_t width, Interpolation interpolation,
                             bool antialias, const Window& window);

}  // namespace shiftnorm::imaging
