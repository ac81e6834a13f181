#include "resample.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace shiftnorm::imaging {
namespace {

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic with a = -0.5, as PIL has it.
double cubic(double x) {
  const double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

struct Filter {
  double (*at)(double);
  double support;  ///< half width, in input samples at scale 1
};

Filter filter_of(Interpolation interpolation) {
  return interpolation == Interpolation::bicubic ? Filter{cubic, 2.0} : Filter{triangle, 1.0};
}

// ---- the two passes, over integers (8 bits) or doubles (16 bits)

/// Part of antialiased(), which is compiled for several instruction sets.
#define SHIFTNORM_PASS [[gnu::always_inline]] inline

/// PIL's fixed point: 8 bits for the pixel, 2 for what the weights may overshoot, the rest for their fraction.
struct Fixed8 {
  using Pixel = std::uint16_t;
  using Weight = std::int32_t;
  using Sum = std::int32_t;
  using Middle = std::uint16_t;  ///< between the passes: clipped to 8 bits, as in PIL
  static constexpr int kBits = 32 - 8 - 2;
  static constexpr Sum kStart = 1 << (kBits - 1);
  static Weight weight(double w) { return static_cast<Weight>((w < 0 ? -0.5 : 0.5) + w * (1 << kBits)); }
  static Middle middle(Sum s) { return static_cast<Middle>(std::clamp(s >> kBits, 0, 255)); }
  static std::uint16_t clip(Middle v) { return v; }
};

/// PIL's mode "I": sums in double, rounded half away from zero after each pass; only the end is clipped to 16 bits.
struct Wide16 {
  using Pixel = std::uint16_t;
  using Weight = double;
  using Sum = double;
  using Middle = std::int32_t;
  static constexpr Sum kStart = 0.0;
  static Weight weight(double w) { return w; }
  static Middle middle(Sum s) { return static_cast<Middle>(std::lround(s)); }
  static std::uint16_t clip(Middle v) { return static_cast<std::uint16_t>(std::clamp<Middle>(v, 0, 65535)); }
};

/// PIL's mode "F": sums in double, each pass rounded to float, nothing clipped.
struct Real {
  using Pixel = float;
  using Weight = double;
  using Sum = double;
  using Middle = float;
  static constexpr Sum kStart = 0.0;
  static Weight weight(double w) { return w; }
  static Middle middle(Sum s) { return static_cast<Middle>(s); }
  static float clip(Middle v) { return v; }
};

/// The values of an image as `Number` takes them.
template <class Pixel, class AnyImage>
auto& values_of(AnyImage& image) {
  if constexpr (std::is_same_v<Pixel, float>)
    return image.reals;
  else
    return image.pixels;
}

template <class Number>
std::vector<typename Number::Weight> numbers(const Taps& taps) {
  std::vector<typename Number::Weight> out(taps.weights.size());
  std::ranges::transform(taps.weights, out.begin(), Number::weight);
  return out;
}

/// Rows first .. first + rows of the image, each resampled along x.
template <class Number, int C>
SHIFTNORM_PASS std::vector<typename Number::Middle> horizontal(const Image& image, const Taps& taps, std::int64_t first,
                                                               std::int64_t rows) {
  const auto weights = numbers<Number>(taps);
  const auto n = static_cast<std::int64_t>(taps.first.size());
  std::vector<typename Number::Middle> out(static_cast<std::size_t>(rows * n * C));
  auto* dst = out.data();
  for (std::int64_t y = 0; y < rows; ++y) {
    const typename Number::Pixel* row = values_of<typename Number::Pixel>(image).data() + (first + y) * image.width * C;
    for (std::int64_t x = 0; x < n; ++x) {
      const auto at = static_cast<std::size_t>(x);
      const typename Number::Pixel* src = row + taps.first[at] * C;
      const auto* w = weights.data() + x * taps.stride;
      std::array<typename Number::Sum, C> sum;
      sum.fill(Number::kStart);
      for (std::int64_t k = 0; k < taps.count[at]; ++k, src += C)
        for (std::size_t c = 0; c < C; ++c) sum[c] += src[c] * w[k];
      for (std::size_t c = 0; c < C; ++c) *dst++ = Number::middle(sum[c]);
    }
  }
  return out;
}

/// The same for grey values of 8 bits. A product of 16-bit numbers is what every processor has wide instructions for:
/// each weight is split into `high * 2^15 + low`, which loses nothing.
SHIFTNORM_PASS std::vector<Fixed8::Middle> horizontal_grey8(const Image& image, const Taps& taps, std::int64_t first,
                                                            std::int64_t rows) {
  constexpr int kLow = 15;
  constexpr std::int64_t kLanes = 8;
  const auto weights = numbers<Fixed8>(taps);
  const auto n = static_cast<std::int64_t>(taps.first.size());
  const std::int64_t stride = std::min((taps.stride + kLanes - 1) / kLanes * kLanes, image.width / kLanes * kLanes);
  if (*std::ranges::max_element(taps.count) > stride) return horizontal<Fixed8, 1>(image, taps, first, rows);
  // As many taps for each output, zeros among them; at the right edge they begin further left.
  std::vector<std::int16_t> high(static_cast<std::size_t>(n * stride)), low(high.size());
  std::vector<std::int64_t> from;
  for (std::int64_t x = 0; x < n; ++x) {
    const auto at = static_cast<std::size_t>(x);
    const std::int64_t begin = std::min(taps.first[at], image.width - stride);
    from.push_back(begin);
    for (std::int64_t k = 0; k < taps.count[at]; ++k) {
      const auto to = static_cast<std::size_t>(x * stride + taps.first[at] - begin + k);
      const Fixed8::Weight w = weights[static_cast<std::size_t>(x * taps.stride + k)];
      high[to] = static_cast<std::int16_t>(w >> kLow);
      low[to] = static_cast<std::int16_t>(w & ((1 << kLow) - 1));
    }
  }
  std::vector<Fixed8::Middle> out(static_cast<std::size_t>(rows * n));
  auto* dst = out.data();
  for (std::int64_t y = 0; y < rows; ++y) {
    // Values of 8 bits are the same numbers with a sign.
    const auto* row = reinterpret_cast<const std::int16_t*>(image.pixels.data()) + (first + y) * image.width;
    for (std::int64_t x = 0; x < n; ++x) {
      const std::int16_t* src = row + from[static_cast<std::size_t>(x)];
      const std::int16_t *h = high.data() + x * stride, *l = low.data() + x * stride;
      std::int32_t high_sum = 0, low_sum = 0;
      for (std::int64_t k = 0; k < stride; ++k) {
        high_sum += std::int32_t{src[k]} * h[k];
        low_sum += std::int32_t{src[k]} * l[k];
      }
      *dst++ = Fixed8::middle(Fixed8::kStart + high_sum * (1 << kLow) + low_sum);
    }
  }
  return out;
}

/// The same for colours of 8 bits: the channels of one pixel, and a value of the next that nothing comes of, are the
/// lanes of one vector.
SHIFTNORM_PASS std::vector<Fixed8::Middle> horizontal_colour8(const Image& image, const Taps& taps, std::int64_t first,
                                                              std::int64_t rows) {
  using Lanes [[gnu::vector_size(16)]] = std::int32_t;
  constexpr std::size_t kChannels = 3, kLanes = 4;
  const auto weights = numbers<Fixed8>(taps);
  const std::size_t n = taps.first.size(), stride = static_cast<std::size_t>(taps.stride);
  // Only the columns that are used, and room for the last pixel's fourth value.
  const auto begin = static_cast<std::size_t>(taps.first.front());
  const auto columns = static_cast<std::size_t>(taps.first.back() + taps.count.back()) - begin;
  std::vector<std::int32_t> row(columns * kChannels + kLanes), sums(n * kChannels + kLanes);
  std::vector<Fixed8::Middle> out(static_cast<std::size_t>(rows) * n * kChannels);
  for (std::size_t y = 0; y < static_cast<std::size_t>(rows); ++y) {
    const std::size_t at = (static_cast<std::size_t>(first) + y) * static_cast<std::size_t>(image.width) + begin;
    const std::uint16_t* pixels = image.pixels.data() + at * kChannels;
    for (std::size_t i = 0; i < columns * kChannels; ++i) row[i] = pixels[i];
    for (std::size_t x = 0; x < n; ++x) {
      const std::int32_t* src = row.data() + (static_cast<std::size_t>(taps.first[x]) - begin) * kChannels;
      const Fixed8::Weight* w = weights.data() + x * stride;
      Lanes sum = Lanes{} + Fixed8::kStart;
      for (std::int64_t k = 0; k < taps.count[x]; ++k, src += kChannels) {
        Lanes pixel;
        std::memcpy(&pixel, src, sizeof pixel);
        sum += pixel * w[k];
      }
      std::memcpy(sums.data() + x * kChannels, &sum, sizeof sum);
    }
    Fixed8::Middle* dst = out.data() + y * n * kChannels;
    for (std::size_t i = 0; i < n * kChannels; ++i) dst[i] = Fixed8::middle(sums[i]);
  }
  return out;
}

/// Each output row is a weighted sum of whole rows, which the compiler vectorises. `src` begins at input row `first`.
template <class Number, class Source>
SHIFTNORM_PASS void vertical(const Source* src, std::int64_t row_values, const Taps& taps, std::int64_t first,
                             typename Number::Pixel* dst) {
  const auto weights = numbers<Number>(taps);
  std::vector<typename Number::Sum> sums(static_cast<std::size_t>(row_values));
  for (std::size_t y = 0; y < taps.first.size(); ++y) {
    std::ranges::fill(sums, Number::kStart);
    for (std::int64_t k = 0; k < taps.count[y]; ++k) {
      const Source* row = src + (taps.first[y] + k - first) * row_values;
      const auto w = weights[y * static_cast<std::size_t>(taps.stride) + static_cast<std::size_t>(k)];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += row[i] * w;
    }
    for (const auto sum : sums) *dst++ = Number::clip(Number::middle(sum));
  }
}

Image like(const Image& image, const Window& window) {
  Image out{.height = window.height, .width = window.width, .channels = image.channels, .bits = image.bits};
  if (image.bits == 0)
    out.reals.resize(out.values());
  else
    out.pixels.resize(out.values());
  return out;
}

template <class Pixel>
Image crop(const Image& image, const Window& window) {
  Image out = like(image, window);
  const std::int64_t n = window.width * image.channels;
  for (std::int64_t y = 0; y < window.height; ++y)
    std::copy_n(values_of<Pixel>(image).begin() + ((window.top + y) * image.width + window.left) * image.channels, n,
                values_of<Pixel>(out).begin() + y * n);
  return out;
}

template <class Number, int C>
SHIFTNORM_PASS std::vector<typename Number::Middle> along_rows(const Image& image, const Taps& taps, std::int64_t first,
                                                               std::int64_t rows) {
  if constexpr (std::is_same_v<Number, Fixed8> && C == 1)
    return horizontal_grey8(image, taps, first, rows);
  else if constexpr (std::is_same_v<Number, Fixed8>)
    return horizontal_colour8(image, taps, first, rows);
  else
    return horizontal<Number, C>(image, taps, first, rows);
}

template <class Number, int C>
SHIFTNORM_PASS Image antialiased(const Image& image, std::int64_t height, std::int64_t width, Interpolation how,
                                 const Window& window) {
  using Pixel = typename Number::Pixel;
  // A pass that would not change the size is left out, as in PIL: its rounding could differ from the identity's.
  const bool along_x = width != image.width, along_y = height != image.height;
  if (!along_x && !along_y) return crop<Pixel>(image, window);
  const Taps x = antialiased_taps(image.width, width, window.left, window.width, how);
  if (!along_y) {
    const auto middle = along_rows<Number, C>(image, x, window.top, window.height);
    Image out = like(image, window);
    std::ranges::transform(middle, values_of<Pixel>(out).begin(), Number::clip);
    return out;
  }
  const Taps y = antialiased_taps(image.height, height, window.top, window.height, how);
  const std::int64_t first = y.first.front(), rows = y.first.back() + y.count.back() - first;
  Image out = like(image, window);
  if (along_x) {
    const auto middle = along_rows<Number, C>(image, x, first, rows);
    vertical<Number>(middle.data(), window.width * C, y, first, values_of<Pixel>(out).data());
  } else {
    const Image rows_used = crop<Pixel>(image, {first, window.left, rows, window.width});
    vertical<Number>(values_of<Pixel>(rows_used).data(), window.width * C, y, first, values_of<Pixel>(out).data());
  }
  return out;
}

template <class Number>
SHIFTNORM_PASS Image antialiased(const Image& image, std::int64_t height, std::int64_t width, Interpolation how,
                                 const Window& window) {
  if (image.channels == 1) return antialiased<Number, 1>(image, height, width, how, window);
  return antialiased<Number, 3>(image, height, width, how, window);
}

#if defined(__x86_64__)
/// The same operations in wider vectors. No fused multiplication, which would round otherwise.
template <class Number>
[[gnu::target("avx2")]] Image antialiased_avx2(const Image& image, std::int64_t height, std::int64_t width,
                                               Interpolation how, const Window& window) {
  return antialiased<Number>(image, height, width, how, window);
}
#endif

template <class Number>
Image antialiased_widest(const Image& image, std::int64_t height, std::int64_t width, Interpolation how,
                         const Window& window) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return antialiased_avx2<Number>(image, height, width, how, window);
#endif
  return antialiased<Number>(image, height, width, how, window);
}

#undef SHIFTNORM_PASS

/// PIL's affine nearest neighbour: the position is added up, not multiplied, and truncated.
std::vector<std::int64_t> nearest_positions(std::int64_t in, std::int64_t out, std::int64_t begin, std::int64_t n) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  double at = step * 0.5;
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < begin + n; ++i, at += step)
    if (i >= begin) positions.push_back(std::min(static_cast<std::int64_t>(at), in - 1));
  return positions;
}

template <class Pixel>
Image nearest(const Image& image, std::int64_t height, std::int64_t width, const Window& window) {
  const auto xs = nearest_positions(image.width, width, window.left, window.width);
  const auto ys = nearest_positions(image.height, height, window.top, window.height);
  Image out = like(image, window);
  auto dst = values_of<Pixel>(out).begin();
  for (const std::int64_t y : ys)
    for (const std::int64_t x : xs)
      dst = std::copy_n(values_of<Pixel>(image).begin() + (y * image.width + x) * image.channels, image.channels, dst);
  return out;
}

// ---- torch's interpolate(), align_corners = false, in float

/// Input samples (repeated at the border) and weights of one output sample.
struct Point {
  std::array<std::int64_t, 4> from{};
  std::array<float, 4> weight{};
};

float cubic_inside(float x, float a) { return ((a + 2) * x - (a + 3)) * x * x + 1; }
float cubic_outside(float x, float a) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; }

Point point_at(std::int64_t in, std::int64_t out, std::int64_t i, bool is_cubic) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  float real = scale * (static_cast<float>(i) + 0.5f) - 0.5f;
  if (!is_cubic) real = std::max(real, 0.0f);
  const auto base = static_cast<std::int64_t>(std::floor(real));
  const float t = real - static_cast<float>(base);
  const auto inside = [&](std::int64_t at) { return std::clamp<std::int64_t>(at, 0, in - 1); };
  if (!is_cubic) return {{inside(base), inside(base + 1)}, {1.0f - t, t}};
  const float a = -0.75f;  // torch's; PIL has -0.5
  return {{inside(base - 1), inside(base), inside(base + 1), inside(base + 2)},
          {cubic_outside(t + 1, a), cubic_inside(t, a), cubic_inside(1 - t, a), cubic_outside(2 - t, a)}};
}

template <class Pixel>
Image interpolated(const Image& image, std::int64_t height, std::int64_t width, bool is_cubic, const Window& window) {
  const std::size_t taps = is_cubic ? 4 : 2;
  [[maybe_unused]] const float most = image.bits == 8 ? 255.0f : 65535.0f;
  std::vector<Point> xs;
  for (std::int64_t x = 0; x < window.width; ++x) xs.push_back(point_at(image.width, width, window.left + x, is_cubic));
  Image out = like(image, window);
  auto dst = values_of<Pixel>(out).begin();
  for (std::int64_t y = 0; y < window.height; ++y) {
    const Point rows = point_at(image.height, height, window.top + y, is_cubic);
    for (const Point& columns : xs) {
      for (std::int64_t c = 0; c < image.channels; ++c) {
        float sum = 0.0f;
        for (std::size_t j = 0; j < taps; ++j) {
          float row = 0.0f;
          for (std::size_t k = 0; k < taps; ++k) {
            const auto at =
                static_cast<std::size_t>((rows.from[j] * image.width + columns.from[k]) * image.channels + c);
            row += static_cast<float>(values_of<Pixel>(image)[at]) * columns.weight[k];
          }
          sum += row * rows.weight[j];
        }
        if constexpr (std::is_same_v<Pixel, float>)
          *dst++ = sum;
        else
          *dst++ = static_cast<Pixel>(std::nearbyint(std::clamp(sum, 0.0f, most)));
      }
    }
  }
  return out;
}

}  // namespace

Taps antialiased_taps(std::int64_t in, std::int64_t out, std::int64_t begin, std::int64_t n,
                      Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const double scale = static_cast<double>(in) / static_cast<double>(out), widened = std::max(scale, 1.0);
  const double support = filter.support * widened;
  Taps taps;
  taps.stride = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  taps.weights.assign(static_cast<std::size_t>(n * taps.stride), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    const double center = (static_cast<double>(begin + i) + 0.5) * scale;
    const auto first = std::max(static_cast<std::int64_t>(center - support + 0.5), std::int64_t{0});
    const auto count = std::min(static_cast<std::int64_t>(center + support + 0.5), in) - first;
    double* weights = taps.weights.data() + i * taps.stride;
    double sum = 0.0;
    for (std::int64_t k = 0; k < count; ++k) {
      weights[k] = filter.at((static_cast<double>(k + first) - center + 0.5) * (1.0 / widened));
      sum += weights[k];
    }
    if (sum != 0.0)
      for (std::int64_t k = 0; k < count; ++k) weights[k] /= sum;
    taps.first.push_back(first);
    taps.count.push_back(count);
  }
  return taps;
}

Image resample(const Image& image, std::int64_t height, std::int64_t width, Interpolation interpolation, bool antialias,
               const Window& window) {
  const bool reals = image.bits == 0, cubic_taps = interpolation == Interpolation::bicubic;
  if (interpolation == Interpolation::nearest)
    return (reals ? nearest<float> : nearest<std::uint16_t>)(image, height, width, window);
  if (!antialias)
    return (reals ? interpolated<float> : interpolated<std::uint16_t>)(image, height, width, cubic_taps, window);
  return (reals             ? antialiased_widest<Real>
          : image.bits == 8 ? antialiased_widest<Fixed8>
                            : antialiased_widest<Wide16>)(image, height, width, interpolation, window);
}

}  // namespace shiftnorm::imaging
