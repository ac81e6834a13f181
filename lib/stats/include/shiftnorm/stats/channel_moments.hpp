#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::stats {

/// The divisor that turns a sum of squared deviations into a variance: N, or N - 1.
/// Frameworks differ in what they store as running variance, so every caller names one.
enum class Divisor { population, sample };

/// Mean and variance of each channel over every value added so far, with the same bits for any order and grouping of
/// the images. Each image contributes the double sums of (x - pivot) and its square, taken by the caller.
/// Units   mean in activation units, variance in their square.
class ChannelMoments {
 public:
  ChannelMoments() = default;
  /// pivot: any value near the expected mean, one per channel (the source mean); it only guards digits.
  explicit ChannelMoments(std::vector<float> pivot);

  /// From parts that were kept, as sums() and squares() gave them. Throws ShapeError if lengths differ.
  ChannelMoments(std::vector<float> pivot, std::vector<ExactSum> sums, std::vector<ExactSum> squares,
                 std::int64_t values, std::int64_t images);

  /// sum, square: one per channel, over `values` values of one image.
  void add_image(std::span<const double> sum, std::span<const double> square, std::int64_t values) {
    add_images(sum, square, values, 1);
  }
  /// The same for several images, one row after the other: cheaper by the image, same bits.
  void add_images(std::span<const double> sums, std::span<const double> squares, std::int64_t values,
                  std::size_t images);
  /// As if every image of `other` had been added here. Throws ShapeError if pivots differ.
  void merge(const ChannelMoments& other);
  void clear();  ///< keeps the pivot

  [[nodiscard]] std::size_t channels() const noexcept { return pivot_.size(); }
  [[nodiscard]] const std::vector<float>& pivot() const noexcept { return pivot_; }
  [[nodiscard]] std::int64_t values() const noexcept { return values_; }
  [[nodiscard]] std::int64_t images() const noexcept { return images_; }
  [[nodiscard]] const std::vector<ExactSum>& sums() const noexcept { return sum_; }
  [[nodiscard]] const std::vector<ExactSum>& squares() const noexcept { return square_; }
  /// Index of the first channel that met an infinity or a NaN, or -1.
  [[nodiscard]] std::int64_t invalid_channel() const noexcept;

  [[nodiscard]] std::vector<double> mean() const;                     ///< throws std::domain_error with no values
  [[nodiscard]] std::vector<double> variance(Divisor divisor) const;  ///< never negative; sample needs two values

  friend bool operator==(const ChannelMoments&, const ChannelMoments&) = default;

 private:
  std::vector<float> pivot_;
  std::vector<ExactSum> sum_, square_;
  std::int64_t values_ = 0, images_ = 0;
};

}  // namespace shiftnorm::stats
