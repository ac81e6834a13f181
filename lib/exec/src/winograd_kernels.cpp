#include "winograd_kernels.hpp"

#include "prefetch.hpp"

// Vectors are kept in arrays here, which vectors of unknown size cannot be.
#include <hwy/detect_targets.h>
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <algorithm>
#include <array>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "winograd_kernels.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

#include "epilogue_vectors.hpp"

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kReach = kWinogradReach, kTile = kWinogradTile;
// The points and their squares, all exact.
constexpr float kA = kWinogradNear, kB = kWinogradFar, kAA = kA * kA, kBB = kB * kB;

/// B^T x for a column or a row of six.
template <class D, class V>
HWY_INLINE void spread_six(D d, const V (&x)[kReach], V (&y)[kReach]) {
  const auto a = hn::Set(d, kA), aa = hn::Set(d, kAA), b = hn::Set(d, kB), bb = hn::Set(d, kBB),
             sum = hn::Set(d, kAA + kBB), product = hn::Set(d, kAA * kBB);
  y[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
  y[5] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
  const auto even_a = hn::NegMulAdd(bb, x[2], x[4]), odd_a = hn::NegMulAdd(bb, x[1], x[3]);
  y[1] = hn::MulAdd(a, odd_a, even_a);
  y[2] = hn::NegMulAdd(a, odd_a, even_a);
  const auto even_b = hn::NegMulAdd(aa, x[2], x[4]), odd_b = hn::NegMulAdd(aa, x[1], x[3]);
  y[3] = hn::MulAdd(b, odd_b, even_b);
  y[4] = hn::NegMulAdd(b, odd_b, even_b);
}

/// A^T m for a column or a row of six products.
template <class D, class V>
HWY_INLINE void gather_four(D d, const V (&m)[kReach], V (&y)[kTile]) {
  const auto sum_a = hn::Add(m[1], m[2]), sum_b = hn::Add(m[3], m[4]);
  const auto dif_a = hn::Sub(m[1], m[2]), dif_b = hn::Sub(m[3], m[4]);
  y[0] = hn::Add(m[0], hn::Add(sum_a, sum_b));
  y[1] = hn::MulAdd(hn::Set(d, kA), dif_a, hn::Mul(hn::Set(d, kB), dif_b));
  y[2] = hn::MulAdd(hn::Set(d, kAA), sum_a, hn::Mul(hn::Set(d, kBB), sum_b));
  y[3] = hn::MulAdd(hn::Set(d, kA * kAA), dif_a, hn::MulAdd(hn::Set(d, kB * kBB), dif_b, m[5]));
}

/// The part of a tile's source that lies in the image: rows and columns [low, high) of its six.
struct Inside {
  size_t top = 0, bottom = kReach, left = 0, right = kReach;
};

/// Where the six of tile `t` along one axis begin in the source, as offset + pad, and which of them exist.
HWY_INLINE void clip(size_t t, size_t pad, size_t extent, size_t& low, size_t& high) {
  const size_t begin = t * kTile;
  low = begin < pad ? std::min(pad - begin, kReach) : 0;
  high = begin >= extent + pad ? low : std::max(low, std::min(kReach, extent + pad - begin));
}

/// One tile of one vector of channels. at: offset of its first source value, which may lie before the image.
template <bool whole, class D>
HWY_INLINE void input_tile(D d, const float* image, ptrdiff_t at, ptrdiff_t row, ptrdiff_t pixel, const Inside& in,
                           float* to, size_t plane) {
  using V = hn::Vec<D>;
  V columns[kReach][kReach];
  HWY_UNROLL(6)
  for (size_t j = 0; j < kReach; ++j) {
    V x[kReach], y[kReach];
    HWY_UNROLL(6)
    for (size_t i = 0; i < kReach; ++i) {
      const bool there = whole || (i >= in.top && i < in.bottom && j >= in.left && j < in.right);
      const ptrdiff_t offset = at + static_cast<ptrdiff_t>(i) * row + static_cast<ptrdiff_t>(j) * pixel;
      x[i] = there ? hn::LoadU(d, image + offset) : hn::Zero(d);
    }
    spread_six(d, x, y);
    HWY_UNROLL(6)
    for (size_t i = 0; i < kReach; ++i) columns[i][j] = y[i];
  }
  HWY_UNROLL(6)
  for (size_t i = 0; i < kReach; ++i) {
    V y[kReach];
    spread_six(d, columns[i], y);
    HWY_UNROLL(6)
    for (size_t j = 0; j < kReach; ++j) hn::StoreU(y[j], d, to + (i * kReach + j) * plane);
  }
}

template <class D>
void input_block(D d, const WinogradShape& s, const WinogradTiles& tiles, const float* src, float* transformed) {
  const size_t n = hn::Lanes(d), across = s.tiles_across(), plane = s.plane(s.in_blocks, tiles.count);
  const auto row = static_cast<ptrdiff_t>(s.width * s.block), pixel = static_cast<ptrdiff_t>(s.block);
  for (size_t b = 0; b < s.in_blocks; ++b) {
    const float* image = src + b * s.height * s.width * s.block;
    float* to = transformed + b * tiles.count * s.block;
    for (size_t t = 0; t < tiles.count; ++t, to += s.block) {
      const size_t down = (tiles.first + t) / across, right = (tiles.first + t) % across;
      Inside in;
      clip(down, s.pad_top, s.height, in.top, in.bottom);
      clip(right, s.pad_left, s.width, in.left, in.right);
      const bool whole = in.top == 0 && in.left == 0 && in.bottom == kReach && in.right == kReach;
      const ptrdiff_t at = (static_cast<ptrdiff_t>(down * kTile) - static_cast<ptrdiff_t>(s.pad_top)) * row +
                           (static_cast<ptrdiff_t>(right * kTile) - static_cast<ptrdiff_t>(s.pad_left)) * pixel;
      for (size_t lane = 0; lane < s.block; lane += n) {
        const auto run = whole ? &input_tile<true, D> : &input_tile<false, D>;
        run(d, image + lane, at, row, pixel, in, to + lane, plane);
      }
    }
  }
}

/// Channels whose products are added up among themselves before they go into the total: of many channels that loses two
/// or three bits less than one sum after the other.
constexpr size_t kRun = 8;

/// Products of `T` tiles with `O` vectors of result channels.
template <size_t block, size_t O, size_t T, class D>
void products_of(D d, const float* x, size_t x_stride, const float* w, size_t in_blocks, float* to, size_t to_stride) {
  using V = hn::Vec<D>;
  const size_t n = block < hn::MaxLanes(d) ? block : hn::MaxLanes(d);
  const size_t panel = in_blocks * block * block;
  V totals[O][T];
  HWY_UNROLL(2)
  for (size_t o = 0; o < O; ++o) {
    HWY_UNROLL(16)
    for (size_t t = 0; t < T; ++t) totals[o][t] = hn::Zero(d);
  }
  for (size_t b = 0; b < in_blocks; ++b, x += x_stride) {
    for (size_t run = 0; run < block; run += kRun) {
      V sums[O][T];
      HWY_UNROLL(8)
      for (size_t c = run; c < run + kRun; ++c, w += block) {
        V weights[O];
        HWY_UNROLL(2)
        for (size_t o = 0; o < O; ++o) weights[o] = hn::LoadU(d, w + o * n / block * panel + o * n % block);
        HWY_UNROLL(16)
        for (size_t t = 0; t < T; ++t) {
          const V value = hn::Set(d, x[t * block + c]);
          HWY_UNROLL(2)
          for (size_t o = 0; o < O; ++o)
            sums[o][t] = c == run ? hn::Mul(value, weights[o]) : hn::MulAdd(value, weights[o], sums[o][t]);
        }
      }
      HWY_UNROLL(2)
      for (size_t o = 0; o < O; ++o) {
        HWY_UNROLL(16)
        for (size_t t = 0; t < T; ++t) totals[o][t] = hn::Add(totals[o][t], sums[o][t]);
      }
    }
  }
  HWY_UNROLL(2)
  for (size_t o = 0; o < O; ++o) {
    HWY_UNROLL(16)
    for (size_t t = 0; t < T; ++t)
      hn::StoreU(totals[o][t], d, to + o * n / block * to_stride + o * n % block + t * block);
  }
}

// Registers: two vectors of weights, one of values, the sums and their totals.
constexpr size_t kMostTiles = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM ? 7 : 3;

template <size_t block, size_t O, class D>
struct ProductsTable {
  using Function = void (*)(D, const float*, size_t, const float*, size_t, float*, size_t);
  template <size_t... T>
  static constexpr std::array<Function, kMostTiles> make(std::index_sequence<T...>) {
    return {&products_of<block, O, T + 1, D>...};
  }
  static constexpr std::array<Function, kMostTiles> kFunctions = make(std::make_index_sequence<kMostTiles>());
};

template <size_t block, class D>
void products_block(D d, const WinogradShape& s, const WinogradTiles& tiles, const float* transformed,
                    const float* weights, std::span<const float> prefetch, float* products) {
  const size_t n = hn::Lanes(d), vectors = s.out_blocks * block / n;
  const size_t stride = tiles.count * block, panel = s.in_blocks * block * block;
  // Parts of nearly the same size keep the registers busy.
  const size_t parts = (tiles.count + kMostTiles - 1) / kMostTiles;
  for (size_t f = 0; f < kWinogradProducts; ++f) {
    const float* x = transformed + f * s.plane(s.in_blocks, tiles.count);
    const float* w = weights + f * s.out_blocks * panel;
    float* to = products + f * s.plane(s.out_blocks, tiles.count);
    prefetch_share(prefetch, static_cast<std::int64_t>(f), kWinogradProducts);
    for (size_t v = 0; v < vectors; v += 2) {
      const size_t first = v * n / block, lane = v * n % block;
      for (size_t part = 0; part < parts; ++part) {
        const size_t from = part * tiles.count / parts, count = (part + 1) * tiles.count / parts - from;
        const auto run = v + 2 <= vectors ? ProductsTable<block, 2, D>::kFunctions[count - 1]
                                          : ProductsTable<block, 1, D>::kFunctions[count - 1];
        run(d, x + from * block, stride, w + first * panel + lane, s.in_blocks,
            to + first * stride + from * block + lane, stride);
      }
    }
  }
}

template <int block, class D>
void output_block(D d, const WinogradShape& s, const WinogradTiles& tiles, const float* products,
                  const WinogradEnd& end, float* dst) {
  using V = hn::Vec<D>;
  constexpr auto kAcross = static_cast<int>(kTile);
  const size_t n = hn::Lanes(d), row = s.out_width * block, across = s.tiles_across();
  const size_t plane = s.plane(s.out_blocks, tiles.count);
  for (size_t b = 0; b < s.out_blocks; ++b) {
    const BlockEpilogue epilogue = of_block(end.epilogue, end.affines, static_cast<std::int64_t>(b * block));
    for (size_t lane = 0; lane < block; lane += n) {
      const auto first_lane = static_cast<std::int64_t>(lane);
      const V bias = end.bias != nullptr ? hn::LoadU(d, end.bias + b * block + lane) : hn::Zero(d);
      const float* from = products + b * tiles.count * block + lane;
      for (size_t t = 0; t < tiles.count; ++t, from += block) {
        const size_t y0 = (tiles.first + t) / across * kTile, x0 = (tiles.first + t) % across * kTile;
        const size_t rows = std::min(kTile, s.out_height - y0), columns = std::min(kTile, s.out_width - x0);
        V half[kTile][kReach];
        HWY_UNROLL(6)
        for (size_t j = 0; j < kReach; ++j) {
          V m[kReach], y[kTile];
          HWY_UNROLL(6)
          for (size_t i = 0; i < kReach; ++i) m[i] = hn::LoadU(d, from + (i * kReach + j) * plane);
          gather_four(d, m, y);
          HWY_UNROLL(4)
          for (size_t i = 0; i < kTile; ++i) half[i][j] = y[i];
        }
        HWY_UNROLL(4)
        for (size_t i = 0; i < kTile; ++i) {
          if (i >= rows) break;
          V y[kTile];
          gather_four(d, half[i], y);
          HWY_UNROLL(4)
          for (size_t j = 0; j < kTile; ++j) y[j] = hn::Add(y[j], bias);
          const size_t at = (b * s.out_height + y0 + i) * row + x0 * block + lane;
          const float* added = end.residual != nullptr ? end.residual + at : nullptr;
          if (columns == kTile) {
            finish<block, kAcross>(d, epilogue, first_lane, added, y);
            HWY_UNROLL(4)
            for (size_t j = 0; j < kTile; ++j) hn::StoreU(y[j], d, dst + at + j * block);
            continue;
          }
          HWY_UNROLL(4)
          for (size_t j = 0; j < kTile; ++j) {
            if (j >= columns) break;
            finish<block, 1>(d, epilogue, first_lane, added != nullptr ? added + j * block : nullptr, y + j);
            hn::StoreU(y[j], d, dst + at + j * block);
          }
        }
      }
    }
  }
}

using D16 = hn::CappedTag<float, 16>;
using D8 = hn::CappedTag<float, 8>;

void input(const WinogradShape& s, const WinogradTiles& tiles, const float* src, float* transformed) {
  // NOLINTNEXTLINE(bugprone-branch-clone): D16 and D8 are one type only where vectors hold no more than eight values.
  s.block == 16 ? input_block(D16(), s, tiles, src, transformed) : input_block(D8(), s, tiles, src, transformed);
}
void products(const WinogradShape& s, const WinogradTiles& tiles, const float* transformed, const float* weights,
              std::span<const float> prefetch, float* to) {
  s.block == 16 ? products_block<16>(D16(), s, tiles, transformed, weights, prefetch, to)
                : products_block<8>(D8(), s, tiles, transformed, weights, prefetch, to);
}
void output(const WinogradShape& s, const WinogradTiles& tiles, const float* from, const WinogradEnd& end, float* dst) {
  s.block == 16 ? output_block<16>(D16(), s, tiles, from, end, dst) : output_block<8>(D8(), s, tiles, from, end, dst);
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
HWY_EXPORT(input);
HWY_EXPORT(products);
HWY_EXPORT(output);

void winograd_input(const WinogradShape& shape, const WinogradTiles& tiles, const float* src, float* transformed) {
  HWY_DYNAMIC_DISPATCH(input)(shape, tiles, src, transformed);
}
void winograd_products(const WinogradShape& shape, const WinogradTiles& tiles, const float* transformed,
                       const float* weights, std::span<const float> prefetch, float* products) {
  HWY_DYNAMIC_DISPATCH(products)(shape, tiles, transformed, weights, prefetch, products);
}
void winograd_output(const WinogradShape& shape, const WinogradTiles& tiles, const float* products,
                     const WinogradEnd& end, float* dst) {
  HWY_DYNAMIC_DISPATCH(output)(shape, tiles, products, end, dst);
}
}  // namespace shiftnorm::exec
#endif
