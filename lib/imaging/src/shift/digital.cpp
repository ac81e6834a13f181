#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <span>
#include <vector>

#include "canvas.hpp"
#include "decode_jpeg.hpp"
#include "encode_jpeg.hpp"

namespace shiftnorm::imaging {
namespace {

/// Uniform noise in [-1, 1], smoothed: how far each pixel moves, in units of the amplitude. scipy.ndimage's reflection
/// repeats the edge, and it cuts the filter off at 3 sigma here.
Canvas wave(const Canvas& x, double sigma, Random& random) {
  Canvas field(x.rows, x.cols, CV_32F), out;
  for_each_element(field, [&](float) { return static_cast<float>(random.uniform(-1, 1)); });
  const int reach = std::min({static_cast<int>(std::floor(3 * sigma + 0.5)), x.rows - 1, x.cols - 1});
  if (reach < 1) return field;
  cv::GaussianBlur(field, out, {2 * reach + 1, 2 * reach + 1}, sigma, sigma, cv::BORDER_REFLECT);
  return out;
}

/// What moves three corners of the middle square by up to `amplitude` pixels does to the rest.
Canvas sheared(const Canvas& x, double amplitude, Random& random) {
  const int middle_column = x.cols / 2, middle_row = x.rows / 2, third_of_side = std::min(x.rows, x.cols) / 3;
  const auto cx = static_cast<float>(middle_column), cy = static_cast<float>(middle_row),
             third = static_cast<float>(third_of_side);
  std::array<cv::Point2f, 3> from{
      cv::Point2f{cx + third, cy + third}, {cx + third, cy - third}, {cx - third, cy - third}};
  std::array<cv::Point2f, 3> to = from;
  for (cv::Point2f& point : to) {
    point.x += static_cast<float>(random.uniform(-amplitude, amplitude));
    point.y += static_cast<float>(random.uniform(-amplitude, amplitude));
  }
  Canvas out;
  cv::warpAffine(x, out, cv::getAffineTransform(from.data(), to.data()), x.size(), cv::INTER_LINEAR,
                 cv::BORDER_REFLECT_101);
  return out;
}

}  // namespace

Canvas brightness(const Canvas& x, const ShiftContext& context) {
  static constexpr float kSmall[] = {0.05f, 0.1f, 0.15f, 0.2f, 0.3f}, kLarge[] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
  const float more = context.pick(kSmall, kLarge);
  Canvas out = x.clone();
  // The value of HSV raised, hue and saturation kept: all channels are scaled by the same factor.
  const auto channels = static_cast<std::size_t>(x.channels());
  for (int y = 0; y < out.rows; ++y) {
    for (int i = 0; i < out.cols; ++i) {
      const std::span<float> pixel(out.ptr<float>(y, i), channels);
      const float value = *std::ranges::max_element(pixel), raised = std::min(value + more, 1.0f);
      for (float& v : pixel) v = value > 0 ? v * (raised / value) : raised;
    }
  }
  return out;
}

Canvas contrast(const Canvas& x, const ShiftContext& context) {
  static constexpr double kSmall[] = {0.75, 0.5, 0.4, 0.3, 0.15}, kLarge[] = {0.4, 0.3, 0.2, 0.1, 0.05};
  const double kept = context.pick(kSmall, kLarge);
  Canvas out;
  cv::addWeighted(x, kept, Canvas(x.size(), x.type(), cv::mean(x)), 1 - kept, 0, out);
  return out;
}

Canvas elastic_transform(const Canvas& x, const ShiftContext& context) {
  struct Elastic {
    double amplitude, sigma, shear;  // in units of the image's side
  };
  static constexpr Elastic
      kSmall[] = {{0, 0, 0.08}, {0.05, 0.2, 0.07}, {0.08, 0.06, 0.06}, {0.1, 0.04, 0.05}, {0.1, 0.03, 0.03}},
      kLarge[] = {{2, 0.7, 0.1}, {2, 0.08, 0.2}, {0.05, 0.01, 0.02}, {0.07, 0.01, 0.02}, {0.12, 0.01, 0.02}};
  const Elastic elastic = context.pick(kSmall, kLarge);
  const double side = std::min(x.rows, x.cols);
  const Canvas base = sheared(x, elastic.shear * side, context.random);
  const Canvas dx = wave(x, elastic.sigma * side, context.random), dy = wave(x, elastic.sigma * side, context.random);
  const auto amplitude = static_cast<float>(elastic.amplitude * side);
  cv::Mat from(x.rows, x.cols, CV_32FC2);
  for (int row = 0; row < x.rows; ++row)
    for (int column = 0; column < x.cols; ++column)
      from.at<cv::Point2f>(row, column) = {static_cast<float>(column) + amplitude * dx.at<float>(row, column),
                                           static_cast<float>(row) + amplitude * dy.at<float>(row, column)};
  Canvas out;
  cv::remap(base, out, from, {}, cv::INTER_LINEAR, cv::BORDER_REFLECT);
  return out;
}

Canvas pixelate(const Canvas& x, const ShiftContext& context) {
  static constexpr double kSmall[] = {0.95, 0.9, 0.85, 0.75, 0.65}, kLarge[] = {0.6, 0.5, 0.4, 0.3, 0.25};
  const double share = context.pick(kSmall, kLarge);
  const cv::Size size(std::max(1, static_cast<int>(x.cols * share)), std::max(1, static_cast<int>(x.rows * share)));
  Canvas few, out;
  cv::resize(x, few, size, 0, 0, cv::INTER_AREA);
  cv::resize(few, out, x.size(), 0, 0, cv::INTER_NEAREST_EXACT);
  return out;
}

Canvas jpeg_compression(const Canvas& x, const ShiftContext& context) {
  static constexpr int kSmall[] = {80, 65, 58, 50, 40}, kLarge[] = {25, 18, 15, 10, 7};
  cv::Mat bytes;
  x.convertTo(bytes, CV_MAKETYPE(CV_8U, x.channels()), 255);
  Image image{.height = x.rows, .width = x.cols, .channels = x.channels()};
  image.pixels.assign(bytes.ptr(), bytes.ptr() + image.values());
  image = decode_jpeg(encode_jpeg(image, context.pick(kSmall, kLarge)));
  Canvas out(x.size(), x.type());
  auto value = image.pixels.begin();
  for_each_element(out, [&](float) { return static_cast<float>(*value++ * (1.0 / 255)); });
  return out;
}

}  // namespace shiftnorm::imaging
