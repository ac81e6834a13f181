#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::stats {

/// How the moments of single units (images, or batches) lie around their mean: per channel the sums of a^2, q^2 and aq,
/// where a and q are a unit's two moments. With the sums of a and q themselves, which ChannelMoments keeps, they give
/// the covariance of the two. The same bits for any order and grouping.
class Spread {
 public:
  Spread() = default;
  explicit Spread(std::size_t channels) : sums_(channels) {}
  /// From parts that were kept, as products() gave them.
  Spread(std::vector<std::array<ExactSum, 3>> products, std::int64_t units)
      : sums_(std::move(products)), units_(units) {}

  /// Units, one row after the other: a = first / divisor, q = second / divisor. One value per channel and unit.
  void add(std::span<const double> first, std::span<const double> second, double divisor, std::size_t units = 1);
  /// As if every unit of `other` had been added here. Throws ShapeError for other channels.
  void merge(const Spread& other);

  [[nodiscard]] std::size_t channels() const noexcept { return sums_.size(); }
  [[nodiscard]] std::int64_t units() const noexcept { return units_; }
  /// Per channel the sums of a^2, q^2 and aq.
  [[nodiscard]] const std::vector<std::array<ExactSum, 3>>& products() const noexcept { return sums_; }

  friend bool operator==(const Spread&, const Spread&) = default;

 private:
  std::vector<std::array<ExactSum, 3>> sums_;
  std::int64_t units_ = 0;
};

}  // namespace shiftnorm::stats
