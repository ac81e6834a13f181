#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

namespace shiftnorm::imaging {

/// Where a row's samples lie and where they go.
struct Move {
  std::size_t pixels, from_stride, kept, to_stride;
};

/// The first `kept` samples of each pixel, of type T in the order of bytes of this machine, each `converted`.
template <class T, class To, class Convert = std::identity>
void move_row(const std::byte* from, const Move& how, To* to, Convert converted = {}) {
  const auto value = [&](std::size_t i) {
    T v;
    std::memcpy(&v, from + i * sizeof(T), sizeof(T));
    return converted(v);
  };
  // No alpha: one pass that the compiler can turn into vectors.
  if (how.from_stride == how.kept && how.to_stride == how.kept) {
    for (std::size_t i = 0; i < how.pixels * how.kept; ++i) to[i] = value(i);
    return;
  }
  for (std::size_t x = 0; x < how.pixels; ++x)
    for (std::size_t c = 0; c < how.kept; ++c) to[x * how.to_stride + c] = value(x * how.from_stride + c);
}

/// 1, 2, 4 or 8 bits, one sample a pixel, the first in the highest bits.
template <class To>
void unpack(std::span<const std::byte> row, int bits, std::span<To> to) {
  const auto width = static_cast<unsigned>(bits), per_byte = 8 / width, mask = (1U << width) - 1;
  for (std::size_t x = 0; x < to.size(); ++x) {
    const unsigned shift = width * static_cast<unsigned>(per_byte - 1 - x % per_byte);
    to[x] = static_cast<To>(std::to_integer<unsigned>(row[x / per_byte]) >> shift & mask);
  }
}

/// What one ink and the black over it leave of the light, all of 8 bits.
inline std::uint16_t light_of(std::uint32_t ink, std::uint32_t black) {
  // a * b / 255, rounded: PIL's MULDIV255.
  const auto scaled = [](std::uint32_t a, std::uint32_t b) {
    const std::uint32_t product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  };
  const std::uint32_t left = 255 - black;
  return static_cast<std::uint16_t>(left - std::min(left, scaled(ink, left)));
}

}  // namespace shiftnorm::imaging
