#include "shiftnorm/core/shape.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

#include "shiftnorm/core/error.hpp"

using shiftnorm::Shape;
using shiftnorm::ShapeError;

namespace {
constexpr std::int64_t kBig = std::int64_t{1} << 32;
}

// Oracle: products worked by hand.
TEST_CASE("Shape counts its elements") {
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{}.rank() == 0);
  CHECK(Shape{0}.elements() == 0);
  const Shape image{1, 3, 224, 224};
  CHECK(image.elements() == 150528);
  CHECK(image.elements_from(2) == 50176);
  CHECK(image.elements_from(0) == image.elements());
  CHECK(image.elements_from(4) == 1);
  CHECK(image[1] == 3);
  CHECK(image.text() == "[1, 3, 224, 224]");
  CHECK(Shape{}.text() == "[]");
  CHECK(image == Shape{1, 3, 224, 224});
  CHECK_FALSE(image == Shape{1, 3, 224});
}

// Law: no shape has a negative extent.
TEST_CASE("Shape names the axis of a negative extent") {
  CHECK_THROWS_AS((Shape{2, -1}), ShapeError);
  CHECK_THROWS_WITH((Shape{2, -1}), "axis 1 has extent -1; expected 0 or more");
}

// Oracle: 2^63 - 1 is the largest count that 64 bits hold.
TEST_CASE("Shape refuses a product that 64 bits do not hold") {
  CHECK(Shape{INT64_MAX}.elements() == INT64_MAX);
  CHECK_THROWS_AS((Shape{kBig, kBig}), ShapeError);
  CHECK_THROWS_WITH((Shape{INT64_MAX, 2}), "shape [9223372036854775807, 2] has more elements than 64 bits can count");
}

// A zero extent must not hide the others: the product of a part of the axes (elements_from) has to be safe as well.
// Oracle: products worked by hand: any axis left out, the rest must still fit 64 bits.
TEST_CASE("Shape refuses an overflow beside a zero extent, wherever the zero stands") {
  CHECK_THROWS_AS((Shape{0, kBig, kBig}), ShapeError);
  CHECK_THROWS_AS((Shape{kBig, 0, kBig}), ShapeError);
  CHECK_THROWS_AS((Shape{kBig, kBig, 0}), ShapeError);
  CHECK(Shape{kBig, 0, 2}.elements() == 0);
  CHECK(Shape{kBig, 0, 2}.elements_from(2) == 2);
  CHECK(Shape{0, kBig, 2}.elements_from(1) == 2 * kBig);
}
