#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "canvas.hpp"

namespace shiftnorm::imaging {
namespace {

/// One channel laid over each of the image's.
Canvas spread(const Canvas& layer, int channels) {
  Canvas out;
  cv::merge(std::vector<cv::Mat>(static_cast<std::size_t>(channels), layer), out);
  return out;
}

Canvas grey(const Canvas& x) {
  if (x.channels() == 1) return x.clone();
  Canvas out;
  cv::cvtColor(x, out, cv::COLOR_RGB2GRAY);
  return out;
}

/// A square of side 2^n by the diamond-square algorithm, its edges joined, not scaled.
Canvas diamond_square(int side, double decay, Random& random) {
  Canvas map = Canvas::zeros(side, side, CV_32F);
  const auto at = [&](int y, int x) -> float& { return map.at<float>((y + side) % side, (x + side) % side); };
  double wibble = 100;
  const auto around = [&](float sum) {
    return static_cast<float>(static_cast<double>(sum) / 4 + wibble * random.uniform(-wibble, wibble));
  };
  for (int step = side; step >= 2; step /= 2, wibble /= decay) {
    const int half = step / 2;
    for (int y = half; y < side; y += step)
      for (int x = half; x < side; x += step)
        at(y, x) =
            around(at(y - half, x - half) + at(y - half, x + half) + at(y + half, x - half) + at(y + half, x + half));
    for (int y = 0; y < side; y += half)
      for (int x = (y / half) % 2 == 0 ? half : 0; x < side; x += step)
        at(y, x) = around(at(y - half, x) + at(y + half, x) + at(y, x - half) + at(y, x + half));
  }
  return map;
}

}  // namespace

Canvas plasma(int rows, int columns, double decay, Random& random) {
  int side = 2;
  while (side < std::max(rows, columns)) side *= 2;
  Canvas map = diamond_square(side, decay, random);
  double low = 0, high = 0;
  cv::minMaxLoc(map, &low, &high);
  map = (map - low) / std::max(high - low, 1e-12);
  return map(cv::Rect(0, 0, columns, rows)).clone();
}

Canvas fog(const Canvas& x, const ShiftContext& context) {
  struct Fog {
    double density, decay;
  };
  static constexpr Fog kSmall[] = {{0.2, 3}, {0.5, 3}, {0.75, 2.5}, {1, 2}, {1.5, 1.75}},
                       kLarge[] = {{1.5, 2}, {2, 2}, {2.5, 1.7}, {2.5, 1.5}, {3, 1.4}};
  const Fog fog = context.pick(kSmall, kLarge);
  double high = 0;
  cv::minMaxLoc(x.reshape(1), nullptr, &high);
  const Canvas cloud = plasma(x.rows, x.cols, fog.decay, context.random);
  Canvas out = x + spread(cloud, x.channels()) * fog.density;
  return out * (high / (high + fog.density));
}

Canvas snow(const Canvas& x, const ShiftContext& context) {
  struct Snow {
    double mean, deviation, zoom, threshold;
    int radius;
    double sigma, kept;
  };
  static constexpr Snow kSmall[] = {{0.1, 0.2, 1, 0.6, 8, 3, 0.95},
                                    {0.1, 0.2, 1, 0.5, 10, 4, 0.9},
                                    {0.15, 0.3, 1.75, 0.55, 10, 4, 0.9},
                                    {0.25, 0.3, 2.25, 0.6, 12, 6, 0.85},
                                    {0.3, 0.3, 1.25, 0.65, 14, 12, 0.8}},
                        kLarge[] = {{0.1, 0.3, 3, 0.5, 10, 4, 0.8},
                                    {0.2, 0.3, 2, 0.5, 12, 4, 0.7},
                                    {0.55, 0.3, 4, 0.9, 12, 8, 0.7},
                                    {0.55, 0.3, 4.5, 0.85, 12, 8, 0.65},
                                    {0.55, 0.3, 2.5, 0.85, 12, 12, 0.55}};
  const Snow snow = context.pick(kSmall, kLarge);
  Canvas flakes(x.rows, x.cols, CV_32F);
  for_each_element(flakes,
                   [&](float) { return static_cast<float>(snow.mean + snow.deviation * context.random.normal()); });
  flakes = zoomed(flakes, snow.zoom);
  for_each_element(flakes,
                   [&](float v) { return static_cast<double>(v) < snow.threshold ? 0.0f : std::clamp(v, 0.0f, 1.0f); });
  flakes = streaked(flakes, snow.radius, snow.sigma, context.random.uniform(-135, -45));
  Canvas turned, whiter;
  cv::rotate(flakes, turned, cv::ROTATE_180);
  const Canvas bright = spread(grey(x) * 1.5 + 0.5, x.channels());
  cv::max(x, bright, whiter);
  Canvas out = x * snow.kept + whiter * (1 - snow.kept);
  return out + spread(flakes + turned, x.channels());
}

Canvas frost(const Canvas& x, const ShiftContext& context) {
  struct Frost {
    double image, crystals;
  };
  static constexpr Frost kSmall[] = {{1, 0.2}, {1, 0.3}, {0.9, 0.4}, {0.85, 0.4}, {0.75, 0.45}},
                         kLarge[] = {{1, 0.4}, {0.8, 0.6}, {0.7, 0.7}, {0.65, 0.7}, {0.6, 0.75}};
  const Frost frost = context.pick(kSmall, kLarge);
  // Needles: the ridges of fine clouds, thickest where a coarse cloud lets the ice grow.
  Canvas needles = plasma(x.rows, x.cols, 1.4, context.random), ice = plasma(x.rows, x.cols, 2.5, context.random);
  for (int row = 0; row < needles.rows; ++row) {
    for (int column = 0; column < needles.cols; ++column) {
      float& needle = needles.at<float>(row, column);
      const float ridge = 1 - std::abs(2 * needle - 1);
      needle = ridge * ridge * std::clamp(1.6f * ice.at<float>(row, column), 0.2f, 1.0f);
    }
  }
  return x * frost.image + spread(needles, x.channels()) * frost.crystals;
}

}  // namespace shiftnorm::imaging
