#include "shiftnorm/core/array.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/half.hpp"

using namespace shiftnorm;

namespace {

template <class T, std::size_t N>
Array array_of(DType dtype, const std::array<T, N>& values) {
  std::vector<std::byte> bytes(sizeof values);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {dtype, Shape{static_cast<std::int64_t>(N)}, std::move(bytes)};
}

std::uint16_t stored_bits(double value, DType dtype) {
  std::uint16_t bits = 0;
  encode_floats(std::span(&value, 1), dtype, std::as_writable_bytes(std::span(&bits, 1)));
  return bits;
}

}  // namespace

// Oracle: elements times bytes of one, by hand.
TEST_CASE("Array holds exactly the bytes of its shape") {
  const Array zeros(DType::i16, Shape{2, 3});
  CHECK(zeros.bytes().size() == 12);
  CHECK(zeros.to_int64() == std::vector<std::int64_t>(6, 0));
  CHECK(Array(DType::f64, Shape{}).bytes().size() == 8);
  CHECK(Array(DType::f32, Shape{0, 5}).to_float().empty());
  CHECK_THROWS_AS(Array(DType::f32, Shape{2}, std::vector<std::byte>(7)), ShapeError);
  CHECK_THROWS_WITH(Array(DType::f32, Shape{2}, std::vector<std::byte>(7)),
                    "array [2] of float32 has 7 bytes; expected 8");
}

// Law: products are checked before memory is taken.
TEST_CASE("Array refuses more bytes than 64 bits can count, before taking memory") {
  CHECK_THROWS_AS(Array(DType::f64, Shape{INT64_MAX / 4}), ShapeError);
  CHECK_THROWS_WITH(Array(DType::f64, Shape{INT64_MAX / 4}, {}), Catch::Contains("more bytes than 64 bits can count"));
}

// Oracle: 0, 1 and 2 in each type; the bits of halves by IEEE 754 and the bfloat16 definition.
TEST_CASE("Array converts from every element type") {
  const std::vector<double> expected{0, 1, 2};
  CHECK(array_of(DType::f64, std::array<double, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::f32, std::array<float, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::f16, std::array<std::uint16_t, 3>{0, 0x3c00, 0x4000}).to_double() == expected);
  CHECK(array_of(DType::bf16, std::array<std::uint16_t, 3>{0, 0x3f80, 0x4000}).to_double() == expected);
  CHECK(array_of(DType::i64, std::array<std::int64_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::i32, std::array<std::int32_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::i16, std::array<std::int16_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::i8, std::array<std::int8_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::u64, std::array<std::uint64_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::u32, std::array<std::uint32_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::u16, std::array<std::uint16_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::u8, std::array<std::uint8_t, 3>{0, 1, 2}).to_double() == expected);
  CHECK(array_of(DType::boolean, std::array<std::uint8_t, 3>{0, 1, 7}).to_double() == std::vector<double>{0, 1, 1});
}

// Oracle: the extremes of two's complement.
TEST_CASE("Array keeps signs and extremes of integers") {
  CHECK(array_of(DType::i8, std::array<std::int8_t, 2>{-128, 127}).to_int64() == std::vector<std::int64_t>{-128, 127});
  CHECK(array_of(DType::u8, std::array<std::uint8_t, 1>{255}).to_float() == std::vector<float>{255});
  CHECK(array_of(DType::u32, std::array<std::uint32_t, 1>{UINT32_MAX}).to_int64() ==
        std::vector<std::int64_t>{4294967295});
  CHECK(array_of(DType::i64, std::array<std::int64_t, 1>{INT64_MIN}).to_int64() ==
        std::vector<std::int64_t>{INT64_MIN});
  CHECK_THROWS_AS(array_of(DType::f32, std::array<float, 1>{1}).to_int64(), UnsupportedError);
  CHECK_THROWS_WITH(array_of(DType::f32, std::array<float, 1>{1}).to_int64(), "array of float32; expected integers");
  CHECK_THROWS_WITH(array_of(DType::u64, std::array<std::uint64_t, 1>{UINT64_MAX}).to_int64(),
                    "array of uint64 has the value 18446744073709551615; expected at most 9223372036854775807");
}

// Law: a round trip changes nothing.
TEST_CASE("Arrays made from values give them back") {
  const std::array<float, 4> floats{1.5f, -2, 0, std::numeric_limits<float>::infinity()};
  CHECK(Array::from_floats(Shape{2, 2}, floats).to_float() == std::vector<float>(floats.begin(), floats.end()));
  const std::array<double, 2> doubles{0.1, -1e300};
  CHECK(Array::from_doubles(Shape{2}, doubles).to_double() == std::vector<double>(doubles.begin(), doubles.end()));
  const std::array<std::int64_t, 2> integers{-5, INT64_MAX};
  CHECK(Array::from_int64(Shape{2}, integers).to_int64() ==
        std::vector<std::int64_t>(integers.begin(), integers.end()));
  CHECK_THROWS_AS(Array::from_floats(Shape{3}, floats), ShapeError);
}

// Oracle: the types' definitions.
TEST_CASE("Element types know their size, name and kind") {
  CHECK(size_of(DType::bf16) == 2);
  CHECK(name_of(DType::bf16) == "bfloat16");
  CHECK(is_floating(DType::f16));
  CHECK_FALSE(is_floating(DType::boolean));
  CHECK(name_of(DType::boolean) == "bool");
  CHECK(size_of(DType::u64) == 8);
}

// Oracle: what half.hpp is tested against, for values that a float holds.
TEST_CASE("encode_floats stores each floating type") {
  const std::array<double, 3> values{1.0, -0.333, 65504};
  std::array<float, 3> floats{};
  encode_floats(values, DType::f32, std::as_writable_bytes(std::span(floats)));
  CHECK(floats == std::array<float, 3>{1.0f, -0.333f, 65504.0f});
  std::array<double, 3> doubles{};
  encode_floats(values, DType::f64, std::as_writable_bytes(std::span(doubles)));
  CHECK(doubles == values);
  CHECK(stored_bits(65504, DType::f16) == float_to_half(65504));
  CHECK(stored_bits(-0.5, DType::bf16) == float_to_bfloat16(-0.5f));
}

// Oracle: NumPy 1.24, np.float64(x).astype(np.float16).view(np.uint16): one rounding, not two. 1 + 2^-11 is half way
// between 1 and the next half; a little more or less decides, and a float does not hold that little.
TEST_CASE("encode_floats rounds once, straight from double") {
  CHECK(stored_bits(1 + 0x1p-11, DType::f16) == 0x3c00);
  CHECK(stored_bits(1 + 0x1p-11 + 0x1p-40, DType::f16) == 0x3c01);
  CHECK(stored_bits(1 + 0x1.8p-10 - 0x1p-40, DType::f16) == 0x3c01);
  CHECK(stored_bits(1 + 0x1.8p-10, DType::f16) == 0x3c02);
  CHECK(stored_bits(-(1 + 0x1p-11 + 0x1p-40), DType::f16) == 0xbc01);
  CHECK(stored_bits(0x1p-25 + 0x1p-60, DType::f16) == 0x0001);
  CHECK(stored_bits(0x1p-25, DType::f16) == 0x0000);
  CHECK(stored_bits(1 + 0x1p-8 + 0x1p-40, DType::bf16) == 0x3f81);
  CHECK(stored_bits(1 + 0x1p-8, DType::bf16) == 0x3f80);
}

// Oracle: IEEE 754: 65520 is the middle between the largest half, 65504, and what would follow.
TEST_CASE("encode_floats refuses to turn a number into infinity") {
  CHECK_THROWS_AS(stored_bits(65520, DType::f16), UnsupportedError);
  CHECK_THROWS_WITH(stored_bits(65520, DType::f16),
                    "value 65520 at index 0 is too large for float16; expected at most 65504");
  CHECK(stored_bits(65519.99, DType::f16) == 0x7bff);
  CHECK_THROWS_AS(stored_bits(1e39, DType::bf16), Error);
  CHECK(stored_bits(std::numeric_limits<double>::infinity(), DType::f16) == 0x7c00);
  CHECK((stored_bits(std::numeric_limits<double>::quiet_NaN(), DType::f16) & 0x7fff) > 0x7c00);
}

// Law: nothing is written where it does not fit.
TEST_CASE("encode_floats refuses integer types and wrong lengths") {
  const std::array<double, 2> values{1, 2};
  std::array<std::byte, 8> room{};
  CHECK_THROWS_AS(encode_floats(values, DType::i32, room), UnsupportedError);
  CHECK_THROWS_WITH(encode_floats(values, DType::i32, room), "cannot store real numbers as int32");
  CHECK_THROWS_AS(encode_floats(values, DType::f16, room), ShapeError);
}

// Law: length and alignment hold for every way of making one.
TEST_CASE("Tensor is aligned for kernels and checks its length") {
  const std::array<float, 2> values{1, 2};
  const Tensor tensor(Shape{2}, values);
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.values.data()) % kAlignment == 0);
  CHECK(tensor.values[1] == 2);
  CHECK(Tensor(Shape{2, 2}).values.size() == 4);
  CHECK(Tensor(array_of(DType::u8, std::array<std::uint8_t, 2>{3, 4})).values[0] == 3);
  CHECK_THROWS_AS(Tensor(Shape{3}, values), ShapeError);
}
