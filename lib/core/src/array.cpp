#include "shiftnorm/core/array.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/half.hpp"
#include "shiftnorm/core/names.hpp"

namespace shiftnorm {
namespace {

struct TypeFacts {
  std::string_view name;
  DType value;
  std::size_t bytes;
  bool floating;
};
constexpr auto kTypes = names<TypeFacts>("element type", {{"float64", DType::f64, 8, true},
                                                          {"float32", DType::f32, 4, true},
                                                          {"float16", DType::f16, 2, true},
                                                          {"bfloat16", DType::bf16, 2, true},
                                                          {"int64", DType::i64, 8, false},
                                                          {"int32", DType::i32, 4, false},
                                                          {"int16", DType::i16, 2, false},
                                                          {"int8", DType::i8, 1, false},
                                                          {"uint64", DType::u64, 8, false},
                                                          {"uint32", DType::u32, 4, false},
                                                          {"uint16", DType::u16, 2, false},
                                                          {"uint8", DType::u8, 1, false},
                                                          {"bool", DType::boolean, 1, false},
                                                          {"float8_e4m3", DType::f8_e4m3, 1, false},
                                                          {"float8_e5m2", DType::f8_e5m2, 1, false},
                                                          {"float8_e8m0", DType::f8_e8m0, 1, false},
                                                          {"complex64", DType::c64, 8, false}});

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class To, class Stored, class Convert>
std::vector<To> convert(std::span<const std::byte> bytes, Convert to) {
  std::vector<To> out(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = to(load<Stored>(bytes.data() + i * sizeof(Stored)));
  return out;
}

template <class To>
std::vector<To> convert_any(DType type, std::span<const std::byte> bytes) {
  const auto plain = [](auto v) { return static_cast<To>(v); };
  switch (type) {
    case DType::f64: return convert<To, double>(bytes, plain);
    case DType::f32: return convert<To, float>(bytes, plain);
    case DType::f16:
      return convert<To, std::uint16_t>(bytes, [](std::uint16_t v) { return static_cast<To>(half_to_float(v)); });
    case DType::bf16:
      return convert<To, std::uint16_t>(bytes, [](std::uint16_t v) { return static_cast<To>(bfloat16_to_float(v)); });
    case DType::i64: return convert<To, std::int64_t>(bytes, plain);
    case DType::i32: return convert<To, std::int32_t>(bytes, plain);
    case DType::i16: return convert<To, std::int16_t>(bytes, plain);
    case DType::i8: return convert<To, std::int8_t>(bytes, plain);
    case DType::u64: return convert<To, std::uint64_t>(bytes, plain);
    case DType::u32: return convert<To, std::uint32_t>(bytes, plain);
    case DType::u16: return convert<To, std::uint16_t>(bytes, plain);
    case DType::u8: return convert<To, std::uint8_t>(bytes, plain);
    case DType::boolean:
      return convert<To, std::uint8_t>(bytes, [](std::uint8_t v) { return static_cast<To>(v != 0); });
    case DType::f8_e4m3:
    case DType::f8_e5m2:
    case DType::f8_e8m0:
    case DType::c64:
      throw UnsupportedError(fmt::format("array of {}; expected a type that can be computed with", name_of(type)));
  }
  throw Error("array has an element type that this program does not know");
}

std::int64_t signed_value(std::uint64_t value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (value > kMost)
    throw UnsupportedError(fmt::format("array of uint64 has the value {}; expected at most {}", value, kMost));
  return static_cast<std::int64_t>(value);
}

/// The float next to `value` on the side where the last bit is odd, unless a float holds it exactly. Rounding that to
/// 16 bits gives what rounding the double at once gives (Boldo & Melquiond 2008, emulation by rounding to odd).
float rounded_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || !std::isfinite(nearest)) return nearest;
  if ((std::bit_cast<std::uint32_t>(nearest) & 1u) != 0) return nearest;
  const bool below = static_cast<double>(nearest) < value;
  return std::nextafter(nearest,
                        below ? std::numeric_limits<float>::infinity() : -std::numeric_limits<float>::infinity());
}

/// The largest finite number of a floating type.
double largest(DType dtype) {
  switch (dtype) {
    case DType::f16: return 65504;
    case DType::bf16: return 0x1.fep127;
    case DType::f32: return std::numeric_limits<float>::max();
    default: return std::numeric_limits<double>::max();
  }
}

std::size_t byte_count(DType dtype, const Shape& shape) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.elements(), static_cast<std::int64_t>(size_of(dtype)), &bytes))
    throw ShapeError(fmt::format("array {} of {} has more bytes than 64 bits can count", shape.text(), name_of(dtype)));
  return static_cast<std::size_t>(bytes);
}

template <class T>
Array from_values(DType dtype, Shape shape, std::span<const T> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return {dtype, std::move(shape), std::move(bytes)};
}

}  // namespace

std::size_t size_of(DType type) noexcept { return kTypes[type].bytes; }
std::string_view name_of(DType type) noexcept { return kTypes[type].name; }
bool is_floating(DType type) noexcept { return kTypes[type].floating; }

Array::Array(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), bytes_(byte_count(dtype, shape_)) {}

Array::Array(DType dtype, Shape shape, std::vector<std::byte> bytes)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(std::move(bytes)) {
  if (bytes_.size() != byte_count(dtype_, shape_))
    throw ShapeError(fmt::format("array {} of {} has {} bytes; expected {}", shape_.text(), name_of(dtype_),
                                 bytes_.size(), byte_count(dtype_, shape_)));
}

std::vector<float> Array::to_float() const { return convert_any<float>(dtype_, bytes_); }
std::vector<double> Array::to_double() const { return convert_any<double>(dtype_, bytes_); }

std::vector<std::int64_t> Array::to_int64() const {
  if (is_floating(dtype_)) throw UnsupportedError(fmt::format("array of {}; expected integers", name_of(dtype_)));
  if (dtype_ == DType::u64) return convert<std::int64_t, std::uint64_t>(bytes_, signed_value);
  return convert_any<std::int64_t>(dtype_, bytes_);
}

Array Array::from_floats(Shape shape, std::span<const float> values) {
  return from_values(DType::f32, std::move(shape), values);
}
Array Array::from_doubles(Shape shape, std::span<const double> values) {
  return from_values(DType::f64, std::move(shape), values);
}
Array Array::from_int64(Shape shape, std::span<const std::int64_t> values) {
  return from_values(DType::i64, std::move(shape), values);
}

void encode_floats(std::span<const double> values, DType dtype, std::span<std::byte> dst) {
  if (!is_floating(dtype)) throw UnsupportedError(fmt::format("cannot store real numbers as {}", name_of(dtype)));
  if (dst.size() != values.size() * size_of(dtype))
    throw ShapeError(fmt::format("{} values as {} into {} bytes", values.size(), name_of(dtype), dst.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    const auto single = static_cast<float>(value);
    std::byte* at = dst.data() + i * size_of(dtype);
    double stored = value;
    if (dtype == DType::f64) {
      std::memcpy(at, &value, sizeof value);
    } else if (dtype == DType::f32) {
      std::memcpy(at, &single, sizeof single);
      stored = static_cast<double>(single);
    } else {
      const float odd = rounded_to_odd(value);
      const std::uint16_t bits = dtype == DType::f16 ? float_to_half(odd) : float_to_bfloat16(odd);
      std::memcpy(at, &bits, sizeof bits);
      stored = static_cast<double>(dtype == DType::f16 ? half_to_float(bits) : bfloat16_to_float(bits));
    }
    if (std::isfinite(value) && !std::isfinite(stored))
      throw UnsupportedError(fmt::format("value {} at index {} is too large for {}; expected at most {}", value, i,
                                         name_of(dtype), largest(dtype)));
  }
}

Tensor::Tensor(Shape s, std::span<const float> v) : shape(std::move(s)), values(v.begin(), v.end()) {
  if (static_cast<std::int64_t>(values.size()) != shape.elements())
    throw ShapeError(fmt::format("tensor {} given {} values", shape.text(), values.size()));
}

Tensor::Tensor(const Array& array) : Tensor(array.shape(), array.to_float()) {}

}  // namespace shiftnorm
