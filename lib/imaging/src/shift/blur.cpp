#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "canvas.hpp"

namespace shiftnorm::imaging {

Canvas gaussian(const Canvas& x, double sigma) {
  Canvas out;
  const int reach = static_cast<int>(std::floor(4 * sigma + 0.5));
  if (reach == 0) return x.clone();
  cv::GaussianBlur(x, out, {2 * reach + 1, 2 * reach + 1}, sigma, sigma, cv::BORDER_REPLICATE);
  return out;
}

Canvas streaked(const Canvas& x, int radius, double sigma, double angle) {
  const int width = 2 * radius + 1;
  std::vector<double> weights(static_cast<std::size_t>(width));
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    sum += weights[i] = std::exp(-static_cast<double>(i * i) / (2 * sigma * sigma));
  const double radians = angle * std::numbers::pi / 180;
  Canvas out = Canvas::zeros(x.size(), x.type()), padded, moved;
  cv::copyMakeBorder(x, padded, width, width, width, width, cv::BORDER_REPLICATE);
  for (int i = 0; i < width; ++i) {
    const int dx = static_cast<int>(std::lround(i * std::cos(radians))),
              dy = static_cast<int>(std::lround(i * std::sin(radians)));
    moved = padded(cv::Rect(width + dx, width + dy, x.cols, x.rows));
    out += moved * (weights[static_cast<std::size_t>(i)] / sum);
  }
  return out;
}

Canvas zoomed(const Canvas& x, double factor) {
  // The smallest piece whose enlargement covers the image, and the middle of that.
  const int rows = static_cast<int>(std::ceil(x.rows / factor)), columns = static_cast<int>(std::ceil(x.cols / factor));
  const cv::Rect piece((x.cols - columns) / 2, (x.rows - rows) / 2, columns, rows);
  Canvas large;
  const cv::Size size(std::max(x.cols, static_cast<int>(std::lround(columns * factor))),
                      std::max(x.rows, static_cast<int>(std::lround(rows * factor))));
  cv::resize(x(piece), large, size, 0, 0, cv::INTER_LINEAR);
  return large(cv::Rect((size.width - x.cols) / 2, (size.height - x.rows) / 2, x.cols, x.rows)).clone();
}

Canvas defocus_blur(const Canvas& x, const ShiftContext& context) {
  struct Disk {
    double radius, alias;
  };
  static constexpr Disk kSmall[] = {{0.3, 0.4}, {0.4, 0.5}, {0.5, 0.6}, {1, 0.2}, {1.5, 0.1}},
                        kLarge[] = {{3, 0.1}, {4, 0.5}, {6, 0.5}, {8, 0.5}, {10, 0.5}};
  const Disk disk = context.pick(kSmall, kLarge);
  const int reach = disk.radius <= 8 ? 8 : static_cast<int>(disk.radius), soft = disk.radius <= 8 ? 3 : 5;
  cv::Mat kernel(2 * reach + 1, 2 * reach + 1, CV_32F);
  for (int y = -reach; y <= reach; ++y)
    for (int i = -reach; i <= reach; ++i)
      kernel.at<float>(y + reach, i + reach) = i * i + y * y <= disk.radius * disk.radius ? 1.0f : 0.0f;
  cv::GaussianBlur(kernel, kernel, {soft, soft}, disk.alias);
  kernel /= cv::sum(kernel)[0];  // last: the filter reflects what would leave a wide disk's square
  Canvas out;
  cv::filter2D(x, out, -1, kernel);
  return out;
}

Canvas glass_blur(const Canvas& x, const ShiftContext& context) {
  struct Glass {
    double sigma;
    int reach, times;
  };
  static constexpr Glass kSmall[] = {{0.05, 1, 1}, {0.25, 1, 1}, {0.4, 1, 1}, {0.25, 1, 2}, {0.4, 1, 2}},
                         kLarge[] = {{0.7, 1, 2}, {0.9, 2, 1}, {1, 2, 3}, {1.1, 3, 2}, {1.5, 4, 2}};
  const Glass glass = context.pick(kSmall, kLarge);
  Canvas out = gaussian(x, glass.sigma);
  const auto pixel = out.elemSize();
  std::vector<unsigned char> kept(pixel);
  const auto step = [&] {
    return static_cast<int>(context.random.below(static_cast<std::uint32_t>(2 * glass.reach))) - glass.reach;
  };
  for (int round = 0; round < glass.times; ++round) {
    for (int y = out.rows - glass.reach - 1; y >= glass.reach; --y) {
      for (int i = out.cols - glass.reach - 1; i >= glass.reach; --i) {
        const int dx = step(), dy = step();
        auto *const here = out.ptr(y, i), *const there = out.ptr(y + dy, i + dx);
        std::copy_n(here, pixel, kept.data());
        std::copy_n(there, pixel, here);
        std::copy_n(kept.data(), pixel, there);
      }
    }
  }
  return gaussian(out, glass.sigma);
}

Canvas motion_blur(const Canvas& x, const ShiftContext& context) {
  struct Motion {
    int radius;
    double sigma;
  };
  static constexpr Motion kSmall[] = {{6, 1}, {6, 1.5}, {6, 2}, {8, 2}, {9, 2.5}},
                          kLarge[] = {{10, 3}, {15, 5}, {15, 8}, {15, 12}, {20, 15}};
  const Motion motion = context.pick(kSmall, kLarge);
  return streaked(x, motion.radius, motion.sigma, context.random.uniform(-45, 45));
}

Canvas zoom_blur(const Canvas& x, const ShiftContext& context) {
  struct Zoom {
    int steps;
    double step;
  };
  static constexpr Zoom kSmall[] = {{6, 0.01}, {11, 0.01}, {16, 0.01}, {21, 0.01}, {26, 0.01}},
                        kLarge[] = {{11, 0.01}, {16, 0.01}, {11, 0.02}, {13, 0.02}, {11, 0.03}};
  const Zoom zoom = context.pick(kSmall, kLarge);
  Canvas sum = x.clone();
  for (int k = 0; k < zoom.steps; ++k) sum += zoomed(x, 1 + k * zoom.step);
  return sum / (zoom.steps + 1);
}

}  // namespace shiftnorm::imaging
