#pragma once

#include <opencv2/core.hpp>

#include "shiftnorm/core/random.hpp"

namespace shiftnorm::imaging {

/// An image while it is shifted: rows, columns, interleaved channels (1 or 3) of float, 0 black to 1 white.
using Canvas = cv::Mat;

/// What a shift is given: one of five parameter sets, chosen by severity and by the size of the image.
struct ShiftContext {
  int severity = 1;    ///< 1 to 5
  bool small = false;  ///< the shorter side is below 96: CIFAR-10-C's parameters
  Random& random;

  /// The parameters of this severity.
  template <class T>
  [[nodiscard]] const T& pick(const T (&small_images)[5], const T (&large_images)[5]) const {
    return (small ? small_images : large_images)[severity - 1];
  }
  template <class T>
  [[nodiscard]] const T& pick(const T (&any)[5]) const {
    return any[severity - 1];
  }
};

/// Changes every element, rows first, channels of a pixel side by side: the order in which random numbers are drawn.
template <class F>
void for_each_element(Canvas& canvas, F f) {
  for (int y = 0; y < canvas.rows; ++y) {
    auto* const row = canvas.ptr<float>(y);
    for (int i = 0; i < canvas.cols * canvas.channels(); ++i) row[i] = f(row[i]);
  }
}

// Each shift gives values that may leave [0, 1]; they are clipped when the image is put back together.
[[nodiscard]] Canvas gaussian_noise(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas shot_noise(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas impulse_noise(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas defocus_blur(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas glass_blur(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas motion_blur(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas zoom_blur(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas snow(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas frost(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas fog(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas brightness(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas contrast(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas elastic_transform(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas pixelate(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas jpeg_compression(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas gamma(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas gain_offset(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas bit_depth(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas monochrome_inversion(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas quantum_noise(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas scatter_haze(const Canvas& x, const ShiftContext& context);
[[nodiscard]] Canvas resampling(const Canvas& x, const ShiftContext& context);

/// Gaussian filter cut off at 4 sigma, edges repeated (skimage.filters.gaussian).
[[nodiscard]] Canvas gaussian(const Canvas& x, double sigma);
/// Streaks of a one-sided Gaussian along a direction, by whole pixels, edges repeated. angle in degrees.
[[nodiscard]] Canvas streaked(const Canvas& x, int radius, double sigma, double angle);
/// Enlarged around its centre by `factor`, linear, cut to the same size.
[[nodiscard]] Canvas zoomed(const Canvas& x, double factor);
/// Clouds by the diamond-square algorithm, in [0, 1], one channel; `decay` is how fast their detail fades.
[[nodiscard]] Canvas plasma(int rows, int columns, double decay, Random& random);

}  // namespace shiftnorm::imaging
