#pragma once

#include <cstdint>

namespace shiftnorm {

/// IEEE 754 binary16 and bfloat16 to and from float, rounding to nearest even; NaN stays NaN, overflow becomes
/// infinity.
[[nodiscard]] float half_to_float(std::uint16_t bits) noexcept;
[[nodiscard]] std::uint16_t float_to_half(float value) noexcept;
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits) noexcept;
[[nodiscard]] std::uint16_t float_to_bfloat16(float value) noexcept;

}  // namespace shiftnorm
