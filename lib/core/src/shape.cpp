#include "shiftnorm/core/shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm {

Shape::Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {
  for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
    if (extents_[axis] < 0)
      throw ShapeError(fmt::format("axis {} has extent {}; expected 0 or more", axis, extents_[axis]));
  }
  // Zeros are left out: they would hide an overflow of the others, which elements_from() multiplies on their own.
  std::int64_t product = 1;
  for (const std::int64_t extent : extents_) {
    if (extent != 0 && __builtin_mul_overflow(product, extent, &product))
      throw ShapeError(fmt::format("shape {} has more elements than 64 bits can count", text()));
    if (extent == 0) elements_ = 0;
  }
  if (elements_ != 0) elements_ = product;
}

std::int64_t Shape::elements_from(std::size_t first) const {
  std::int64_t product = 1;
  for (std::size_t axis = first; axis < extents_.size(); ++axis) product *= extents_[axis];
  return product;
}

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(extents_, ", ")); }

}  // namespace shiftnorm
