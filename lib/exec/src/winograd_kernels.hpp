#pragma once

#include <cstddef>
#include <span>

#include "kernel.hpp"

namespace shiftnorm::exec {

/// Winograd's F(4 x 4, 3 x 3): a tile of 4 x 4 results of a 3 x 3 convolution comes from 6 x 6 source values by 36
/// products for each pair of channels instead of 144 (Lavin and Gray 2016). The interpolation points are 0, infinity,
/// +-5/8 and +-3/2: exact in binary and close to the best for rounding (Barabasz et al. 2020); the usual +-1, +-2 lose
/// more than twice as many digits.
inline constexpr std::size_t kWinogradTile = 4, kWinogradReach = 6, kWinogradProducts = kWinogradReach * kWinogradReach;
/// The two points beside 0 and infinity that are taken with both signs.
inline constexpr float kWinogradNear = 0.625f, kWinogradFar = 1.5f;

/// A 3 x 3 convolution of stride 1 on one image, blocked: [blocks, height, width, block].
struct WinogradShape {
  std::size_t block = 16;
  std::size_t in_blocks = 0, out_blocks = 0;
  std::size_t height = 0, width = 0;          ///< of the source
  std::size_t out_height = 0, out_width = 0;  ///< of the result
  std::size_t pad_top = 0, pad_left = 0;

  [[nodiscard]] std::size_t tiles_down() const { return (out_height + kWinogradTile - 1) / kWinogradTile; }
  [[nodiscard]] std::size_t tiles_across() const { return (out_width + kWinogradTile - 1) / kWinogradTile; }
  [[nodiscard]] std::size_t tiles() const { return tiles_down() * tiles_across(); }
  /// Floats from one of a tile's 36 values to the next. An odd number of blocks, so that they do not fall into the same
  /// few sets of the cache.
  [[nodiscard]] std::size_t plane(std::size_t blocks, std::size_t tiles) const {
    return ((blocks * tiles) | 1) * block;
  }
};

/// So many tiles from the first, row by row.
struct WinogradTiles {
  std::size_t first = 0, count = 0;
};

/// transformed: [36, in_blocks, tiles.count, block] = B^T d B of every source tile, zeros beyond the image's edge.
void winograd_input(const WinogradShape& shape, const WinogradTiles& tiles, const float* src, float* transformed);

/// products: [36, out_blocks, tiles.count, block], sums over the source channels of transformed values times weights
/// [36, out_blocks, in_blocks * block, block]. prefetch: brought into the cache meanwhile.
void winograd_products(const WinogradShape& shape, const WinogradTiles& tiles, const float* transformed,
                       const float* weights, std::span<const float> prefetch, float* products);

/// What is done to results before they are written.
struct WinogradEnd {
  const float* bias = nullptr;  ///< [out_blocks, block], or null
  Epilogue epilogue;            ///< without an activation
  std::span<const Affine> affines;
  const float* residual = nullptr;  ///< laid out as the result, or null. May be the result itself
};

/// Writes A^T m A of every tile of products, through its end, where the result has pixels.
void winograd_output(const WinogradShape& shape, const WinogradTiles& tiles, const float* products,
                     const WinogradEnd& end, float* dst);

}  // namespace shiftnorm::exec
