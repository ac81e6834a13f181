#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/core/shape.hpp"

namespace shiftnorm {

/// The multi-indices of a block of extents, last axis fastest.
class Odometer {
 public:
  explicit Odometer(std::span<const std::int64_t> extents) : extents_(extents), index_(extents.size(), 0) {}
  /// Steps on; false, and all zeros again, after the last.
  bool next() {
    for (std::size_t axis = extents_.size(); axis-- > 0;) {
      if (++index_[axis] < extents_[axis]) return true;
      index_[axis] = 0;
    }
    return false;
  }
  [[nodiscard]] std::int64_t operator[](std::size_t axis) const { return index_[axis]; }
  [[nodiscard]] std::span<const std::int64_t> index() const { return index_; }

 private:
  std::span<const std::int64_t> extents_;
  std::vector<std::int64_t> index_;
};

/// Of a dense row-major tensor, in elements.
[[nodiscard]] inline std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.rank(), 1);
  for (std::size_t i = shape.rank(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// Strides of `from` under the axes of `to`, which it broadcasts to, 0 where it is repeated.
[[nodiscard]] inline std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to) {
  std::vector<std::int64_t> strides(to.rank(), 0);
  const std::vector<std::int64_t> own = strides_of(from);
  const std::size_t skipped = to.rank() - from.rank();
  for (std::size_t i = 0; i < from.rank(); ++i) strides[i + skipped] = from[i] == 1 ? 0 : own[i];
  return strides;
}

/// Offsets into one array while an odometer runs over another.
[[nodiscard]] inline std::int64_t dot(std::span<const std::int64_t> index, std::span<const std::int64_t> strides) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
  return at;
}

}  // namespace shiftnorm
