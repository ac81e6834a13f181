#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "blocked_weights.hpp"
#include "layout.hpp"

namespace shiftnorm::exec {

/// The most channels that linear_moments() takes.
constexpr std::int64_t kMostLinearInputs = 40;

/// Bytes of working memory that linear_moments() needs.
[[nodiscard]] std::size_t linear_moments_bytes(std::int64_t inputs);

/// For each channel of y = W x + b the sums over pixels of (y - pivot) and of its square, without y. With the sums S
/// and the products G of the deviations x - c from any centre c, and m = w c + b - pivot, they are
///   w S + n m   and   w G w + 2 m w S + n m^2.
/// All in double, where the products are exact: float would lose digits wherever y varies much less than x does.
/// Errors  2^-53 of |w|^2 |G|, as if y itself had been summed in double, without the rounding of y to float.
/// x       [pixels, block] for each block of channels, at most kMostLinearInputs of them
/// pivot   one for each channel of y; sum, square: as many
/// scratch linear_moments_bytes() bytes, aligned
void linear_moments(const Layout& layout, const float* x, const BlockedWeights& weights, std::span<const float> pivot,
                    std::byte* scratch, std::span<double> sum, std::span<double> square);

}  // namespace shiftnorm::exec
