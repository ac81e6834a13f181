#pragma once

#include <cstdint>
#include <vector>

#include "placement.hpp"

namespace shiftnorm::exec {

/// Values that later segments should compute again rather than find carried along: those of cheap steps with large
/// results (an expansion by 1 x 1, a first convolution), where most would be carried. Kernels give the same
/// bits every time, so that results do not depend on it. carried_cost: what a byte carried for an image costs, in
/// floating-point operations; 0: nothing is recomputed.
[[nodiscard]] Indexed<ValueIndex, bool> choose_recomputed(const Program& program,
                                                          const std::vector<std::int64_t>& level, bool layerwise,
                                                          std::size_t outputs, bool join_parts, double carried_cost);

/// The most floats of an image that are carried at a time.
[[nodiscard]] std::size_t most_carried(const Program& program, const Cut& cut, const Pieces& pieces);

}  // namespace shiftnorm::exec
