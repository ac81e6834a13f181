#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shiftnorm/core/aligned.hpp"

namespace shiftnorm::exec {

/// Floats that a second-level cache holds beside what an image's computation needs.
inline constexpr std::size_t kPrefetchFloats = std::size_t{192} << 10;

/// Starts to bring share `part` of `parts` equal ones into the second-level cache. The processor continues meanwhile,
/// as long as shares are small.
inline void prefetch_share(std::span<const float> what, std::int64_t part, std::int64_t parts) {
  constexpr std::int64_t kLine = kAlignment / sizeof(float);
  const std::int64_t lines = static_cast<std::int64_t>(what.size()) / kLine;
  for (std::int64_t line = part * lines / parts; line < (part + 1) * lines / parts; ++line)
    __builtin_prefetch(what.data() + line * kLine, 0, 2);
}

}  // namespace shiftnorm::exec
