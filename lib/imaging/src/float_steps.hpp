#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {

/// Interleaved pixels, wherever they are kept.
template <class T>
struct Pixels {
  std::span<const T> values;
  std::int64_t channels = 1;
  int bits = 8;
};

/// ToFloat and Normalize of one channel, one operation after the other in float32, as NumPy and torchvision do it.
class ChannelArithmetic {
 public:
  ChannelArithmetic(const Pipeline& pipeline, std::size_t channel, int bits) {
    for (const Step& step : pipeline.steps) {
      if (const auto* to_float = std::get_if<ToFloat>(&step))
        scale_ = static_cast<float>(to_float->scale.value_or(bits == 0 ? 1.0 : bits == 8 ? 255.0 : 65535.0));
      if (const auto* normalize = std::get_if<Normalize>(&step)) {
        const std::size_t last = normalize->mean.size() - 1;
        normalized_.push_back({static_cast<float>(normalize->mean[std::min(channel, last)]),
                               static_cast<float>(normalize->std[std::min(channel, last)])});
      }
    }
  }
  [[nodiscard]] float operator()(float x) const {
    x /= scale_;
    for (const auto& [mean, std] : normalized_) x = (x - mean) / std;
    return x;
  }

 private:
  struct Affine {
    float mean, std;
  };
  float scale_ = 1.0f;
  std::vector<Affine> normalized_;
};

/// apply_float_steps() from any storage.
template <class T>
void float_steps(const Pipeline& pipeline, const Pixels<T>& src, std::span<float> dst) {
  const auto channels = static_cast<std::size_t>(src.channels);
  if (dst.size() != src.values.size())
    throw ShapeError(fmt::format("image of {} values into {} floats", src.values.size(), dst.size()));
  for (const Step& step : pipeline.steps)
    if (const auto* n = std::get_if<Normalize>(&step); n && n->mean.size() != 1 && n->mean.size() != channels)
      throw ConfigError(
          fmt::format("normalize has {} means; expected 1 or {}, one for each channel", n->mean.size(), channels));
  const std::size_t plane = dst.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const ChannelArithmetic arithmetic(pipeline, c, src.bits);
    const T* from = src.values.data() + c;
    float* to = dst.data() + c * plane;
    if constexpr (std::is_floating_point_v<T>) {
      for (std::size_t i = 0; i < plane; ++i) to[i] = arithmetic(from[i * channels]);
    } else if (src.bits == 8) {
      // Only 256 different values: two divisions for each pixel would cost more than the table.
      std::array<float, 256> table;
      for (std::size_t v = 0; v < table.size(); ++v) table[v] = arithmetic(static_cast<float>(v));
      for (std::size_t i = 0; i < plane; ++i) to[i] = table[from[i * channels] & 0xffu];
    } else {
      for (std::size_t i = 0; i < plane; ++i) to[i] = arithmetic(static_cast<float>(from[i * channels]));
    }
  }
}

/// ToFloat (its scale given) and Normalize of an array whose first axis is the channels, in place.
inline void float_steps(const Pipeline& pipeline, Tensor& array) {
  const auto channels = static_cast<std::size_t>(array.shape[0]);
  const std::size_t plane = array.values.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const ChannelArithmetic arithmetic(pipeline, c, 8);
    for (float& value : std::span(array.values).subspan(c * plane, plane)) value = arithmetic(value);
  }
}

}  // namespace shiftnorm::imaging
