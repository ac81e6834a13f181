#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "canvas.hpp"

namespace shiftnorm::imaging {

Canvas gamma(const Canvas& x, const ShiftContext& context) {
  static constexpr float kExponent[] = {1.2f, 1.5f, 1.8f, 2.2f, 2.8f};
  Canvas out = x.clone();
  for_each_element(out, [e = context.pick(kExponent)](float v) { return std::pow(std::max(v, 0.0f), e); });
  return out;
}

Canvas gain_offset(const Canvas& x, const ShiftContext& context) {
  struct Line {
    double gain, offset;
  };
  static constexpr Line kLine[] = {{0.9, 0.05}, {0.8, 0.1}, {0.7, 0.15}, {0.6, 0.25}, {0.5, 0.35}};
  const Line line = context.pick(kLine);
  return x * line.gain + cv::Scalar::all(line.offset);
}

Canvas bit_depth(const Canvas& x, const ShiftContext& context) {
  static constexpr int kBits[] = {6, 5, 4, 3, 2};
  const auto levels = static_cast<float>((1 << context.pick(kBits)) - 1);
  Canvas out = x.clone();
  for_each_element(out, [levels](float v) { return std::nearbyint(v * levels) / levels; });
  return out;
}

Canvas monochrome_inversion(const Canvas& x, const ShiftContext& /*context*/) {
  Canvas out = x.clone();
  for_each_element(out, [](float v) { return 1 - v; });
  return out;
}

Canvas scatter_haze(const Canvas& x, const ShiftContext& context) {
  static constexpr double kShare[] = {0.15, 0.3, 0.45, 0.6, 0.75};  // of what reaches the detector
  const double scattered = context.pick(kShare);
  // A scatter kernel is as wide as the patient is thick: a sixth of the field here.
  const Canvas haze = gaussian(x, std::min(x.rows, x.cols) / 6.0);
  Canvas out;
  cv::addWeighted(x, 1 - scattered, haze, scattered, 0, out);
  return out;
}

Canvas resampling(const Canvas& x, const ShiftContext& context) {
  static constexpr double kShare[] = {0.8, 0.65, 0.5, 0.4, 0.3};
  const double share = context.pick(kShare);
  const cv::Size size(std::max(1, static_cast<int>(std::lround(x.cols * share))),
                      std::max(1, static_cast<int>(std::lround(x.rows * share))));
  Canvas few, out;
  cv::resize(x, few, size, 0, 0, cv::INTER_AREA);
  cv::resize(few, out, x.size(), 0, 0, cv::INTER_LINEAR);
  return out;
}

}  // namespace shiftnorm::imaging
