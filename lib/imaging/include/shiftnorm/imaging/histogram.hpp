#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace shiftnorm::imaging {

/// How many values fall where, without knowing their range beforehand: bins of one width, a power of two, aligned to
/// 0. The width doubles until all values fit into kBins, so the result is the same for any order of adding and merging.
/// Values that are not finite are counted apart.
class Histogram {
 public:
  static constexpr std::size_t kBins = 256;

  /// `smallest_exponent`: bins are at least 2^smallest_exponent wide; 0 for whole numbers.
  explicit Histogram(int smallest_exponent = -20) : exponent_(smallest_exponent) {}
  void add(double value, std::int64_t count = 1);
  void merge(const Histogram& other);

  [[nodiscard]] std::int64_t values() const noexcept { return values_; }  ///< finite ones
  [[nodiscard]] std::int64_t not_finite() const noexcept { return not_finite_; }
  [[nodiscard]] double min() const noexcept { return min_; }  ///< 0 without values
  [[nodiscard]] double max() const noexcept { return max_; }
  [[nodiscard]] double width() const;  ///< of a bin
  [[nodiscard]] double low() const;    ///< lower edge of the first bin
  /// Of the bins from low() on, up to the one that holds the largest value; empty without values.
  [[nodiscard]] const std::vector<std::int64_t>& counts() const noexcept { return counts_; }
  /// The same values in at most `bins` bins.
  [[nodiscard]] Histogram coarser(std::size_t bins) const;

 private:
  void coarsen();
  [[nodiscard]] std::int64_t place(double value) const;
  /// Makes room for bins first..last.
  void cover(std::int64_t first, std::int64_t last);

  int exponent_;
  std::int64_t first_ = 0;  ///< number of the first bin: its lower edge is first_ * width()
  std::vector<std::int64_t> counts_;
  std::int64_t values_ = 0, not_finite_ = 0;
  double min_ = 0, max_ = 0;
};

}  // namespace shiftnorm::imaging
