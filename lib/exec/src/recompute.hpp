#pragma once

#include <cstdint>
#include <vector>

#include "placement.hpp"

namespace shiftnorm::exec {

/// Values that later segments should compute again rather than find in the frontier: those of cheap steps with large
/// results (an expansion by 1 x 1, a first convolution), where the frontier would be largest. Kernels give the same
/// bits every time, so that results do not depend on it. carried_cost: what a byte of an image's frontier costs, in
/// floating-point operations; 0: nothing is recomputed.
[[nodiscard]] Indexed<ValueIndex, bool> choose_recomputed(const Program& program,
                                                          const std::vector<std::int64_t>& level, bool settled,
                                                          std::size_t outputs, bool join_parts, double carried_cost);

/// The most floats of an image that the frontier holds at a time.
[[nodiscard]] std::size_t most_carried(const Program& program, const Cut& cut, const Pieces& pieces);

}  // namespace shiftnorm::exec
