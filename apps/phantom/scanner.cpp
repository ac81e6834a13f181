#include "scanner.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace shiftnorm::phantom {
namespace {

/// Weights of a Gaussian of standard deviation `sigma` pixels, cut at three of them, sum 1; the middle is at
/// size() / 2.
std::vector<double> gaussian_weights(double sigma) {
  const auto radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += weights.emplace_back(std::exp(-0.5 * i * i / (sigma * sigma)));
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// Along each row, edges repeated, the result transposed: two calls blur both directions and restore the orientation.
Picture blurred_and_transposed(const Picture& src, const std::vector<double>& weights) {
  Picture dst(src.side);
  const auto radius = static_cast<std::ptrdiff_t>(weights.size() / 2);
  const auto last = static_cast<std::ptrdiff_t>(src.side) - 1;
  for (std::size_t row = 0; row < src.side; ++row)
    for (std::size_t column = 0; column < src.side; ++column)
      for (std::size_t k = 0; k < weights.size(); ++k) {
        const auto from = static_cast<std::ptrdiff_t>(column + k) - radius;
        dst.at(column, row) +=
            weights[k] * src.at(row, static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(from, 0, last)));
      }
  return dst;
}

/// Where pixel `i` of `side` lies between two neighbours of `from` pixels, pixel centres aligned, edges repeated.
struct Between {
  std::size_t first, second;
  double share;  ///< of the second
};
Between between(std::size_t i, std::size_t side, std::size_t from) {
  const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(side) - 0.5;
  const double last = static_cast<double>(from - 1), low = std::clamp(std::floor(at), 0.0, last);
  const auto first = static_cast<std::size_t>(low);
  return {first, std::min(first + 1, from - 1), std::clamp(at - low, 0.0, 1.0)};
}

Picture magnified(const Picture& src, std::size_t side) {
  Picture dst(side);
  std::vector<Between> columns;
  for (std::size_t column = 0; column < side; ++column) columns.push_back(between(column, side, src.side));
  for (std::size_t row = 0; row < side; ++row) {
    const Between y = between(row, side, src.side);
    for (std::size_t column = 0; column < side; ++column) {
      const Between& x = columns[column];
      const double above = src.at(y.first, x.first) * (1 - x.share) + src.at(y.first, x.second) * x.share;
      const double below = src.at(y.second, x.first) * (1 - x.share) + src.at(y.second, x.second) * x.share;
      dst.at(row, column) = above * (1 - y.share) + below * y.share;
    }
  }
  return dst;
}

}  // namespace

std::vector<double> acquire(const Picture& picture, const Scanner& scanner, std::size_t side, Random& random) {
  const std::vector<double> weights = gaussian_weights(scanner.blur * static_cast<double>(picture.side));
  Picture image = blurred_and_transposed(blurred_and_transposed(picture, weights), weights);
  if (side != picture.side) image = magnified(image, side);
  // No two exposures are quite alike: the dose varies by a few percent about the scanner's own.
  const double gain = scanner.gain * random.uniform(0.95, 1.05);
  std::vector<double> levels;
  levels.reserve(image.values.size());
  for (const double value : image.values) {
    const double noise =
        scanner.quantum_noise * std::sqrt(value) * random.gaussian() + scanner.electronic_noise * random.gaussian();
    const double signal = std::clamp(gain * value + scanner.offset + noise, 0.0, 1.0);
    levels.push_back(std::pow(signal, scanner.gamma));
  }
  return levels;
}

}  // namespace shiftnorm::phantom
