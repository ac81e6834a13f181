#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/core/shape.hpp"

namespace shiftnorm {

/// Element types that files hold. Little-endian in memory. The last four are carried as bytes and not computed with.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, f8_e4m3, f8_e5m2, f8_e8m0, c64 };

[[nodiscard]] std::size_t size_of(DType type) noexcept;       ///< bytes per element
[[nodiscard]] std::string_view name_of(DType type) noexcept;  ///< "float32", "bfloat16", ... (NumPy's names)
[[nodiscard]] bool is_floating(DType type) noexcept;

/// A dense row-major array of any element type; its bytes are exactly shape.elements() * size_of(dtype).
class Array {
 public:
  Array() = default;
  Array(DType dtype, Shape shape);                                ///< zeros
  Array(DType dtype, Shape shape, std::vector<std::byte> bytes);  ///< throws ShapeError if the length differs

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return bytes_; }

  /// The values converted, rounded to nearest even where narrower. 64-bit integers above 2^53 lose digits as double.
  /// Errors  UnsupportedError for types that are only carried.
  [[nodiscard]] std::vector<float> to_float() const;
  [[nodiscard]] std::vector<double> to_double() const;
  [[nodiscard]] std::vector<std::int64_t> to_int64()
      const;  ///< throws UnsupportedError for floating dtypes and for u64 beyond 2^63

  static Array from_floats(Shape shape, std::span<const float> values);
  static Array from_doubles(Shape shape, std::span<const double> values);
  static Array from_int64(Shape shape, std::span<const std::int64_t> values);

 private:
  DType dtype_ = DType::f32;
  Shape shape_{0};
  std::vector<std::byte> bytes_;
};

/// Writes `values` as `dtype` (floating) into `dst`, rounding to nearest even; dst.size() = values.size() * size_of.
/// Errors  UnsupportedError for integer dtypes, and if a finite value is not finite in `dtype` (fp16 overflow);
///         ShapeError for a wrong length.
void encode_floats(std::span<const double> values, DType dtype, std::span<std::byte> dst);

/// Dense float32 tensor with kernel alignment: parameters and activations.
struct Tensor {
  Shape shape{0};
  AlignedVector<float> values;

  Tensor() = default;
  explicit Tensor(Shape s) : shape(std::move(s)), values(static_cast<std::size_t>(shape.elements()), 0.0f) {}
  Tensor(Shape s, std::span<const float> v);  ///< throws ShapeError if the length differs
  explicit Tensor(const Array& array);
};

}  // namespace shiftnorm
