#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace shiftnorm {

/// Extents of a dense row-major tensor: none negative, and their product, zeros left out, fits std::int64_t.
/// Rank 0 is a scalar with one element.
class Shape {
 public:
  Shape() = default;
  explicit Shape(std::vector<std::int64_t> extents);  ///< throws ShapeError naming the bad axis
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::vector<std::int64_t>(extents)) {}

  [[nodiscard]] std::size_t rank() const noexcept { return extents_.size(); }
  [[nodiscard]] std::int64_t operator[](std::size_t axis) const { return extents_.at(axis); }
  [[nodiscard]] std::int64_t elements() const noexcept { return elements_; }
  [[nodiscard]] const std::vector<std::int64_t>& extents() const noexcept { return extents_; }
  /// Product of the extents from axis `first` on (1 when first == rank()).
  [[nodiscard]] std::int64_t elements_from(std::size_t first) const;
  [[nodiscard]] std::string text() const;  ///< "[1, 3, 224, 224]"

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<std::int64_t> extents_;
  std::int64_t elements_ = 1;
};

}  // namespace shiftnorm
