#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "picture.hpp"
#include "random.hpp"

namespace shiftnorm::phantom {

/// How a device turns density into grey levels: (gain * blurred + offset + noise)^gamma, clipped to [0, 1].
struct Scanner {
  std::string_view name;
  double gain, offset;      ///< of the detector, full scale = 1
  double gamma;             ///< exponent of its grey-scale curve: above 1 darkens
  double blur;              ///< standard deviation of the point spread, share of the picture's side
  double quantum_noise;     ///< standard deviation at full signal; grows with the signal's root
  double electronic_noise;  ///< standard deviation everywhere
};

inline constexpr std::array kScanners{
    //       name  gain  offset gamma  blur   quantum electronic
    Scanner{"A", 1.00, 0.00, 1.00, 0.006, 0.010, 0.005},
    Scanner{"B", 0.85, 0.05, 0.80, 0.010, 0.020, 0.010},
};

/// Nothing in a drawing is finer than a picture of so many pixels a side; what a larger detector adds to it is noise.
inline constexpr std::size_t kFinestDrawing = 256;

/// The picture as the scanner's detector of `side` pixels sees it: grey levels in [0, 1], row-major.
[[nodiscard]] std::vector<double> acquire(const Picture& picture, const Scanner& scanner, std::size_t side,
                                          Random& random);

}  // namespace shiftnorm::phantom
