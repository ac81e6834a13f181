#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace shiftnorm::imaging::test {

/// A JPEG codestream written by hand from T.81, so that every pixel is known without a decoder: one row of 8 x 8
/// blocks, each of one value per component (8 times its distance from the middle, quantised by 1, is its only
/// coefficient).
struct TinyJpeg {
  std::vector<std::vector<int>> blocks;  ///< values of the components of each block
  int precision = 8;                     ///< 12: extended sequential
  std::string applications{};            ///< marker segments behind SOI
  std::array<int, 3> ids{1, 2, 3};
  int se = 63;  ///< as the scan header says
  std::string before_eoi{};
  [[nodiscard]] std::string bytes() const;
};

/// The same of the lossless process (predictor 1): one row of pixels.
struct TinyLosslessJpeg {
  std::vector<std::vector<int>> pixels;  ///< values of the components of each
  int precision = 8;
  std::string applications{};
  [[nodiscard]] std::string bytes() const;
};

[[nodiscard]] std::string jfif();                ///< APP0
[[nodiscard]] std::string adobe(int transform);  ///< APP14

}  // namespace shiftnorm::imaging::test
