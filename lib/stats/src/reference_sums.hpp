#pragma once

#include <cstdint>

namespace shiftnorm::stats {

/// The most that a sum of a reference may come to, so that two of them never overflow.
inline constexpr std::int64_t kMostSummed = std::int64_t{1} << 61;

}  // namespace shiftnorm::stats
