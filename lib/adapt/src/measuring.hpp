#pragma once

#include <cstddef>
#include <vector>

#include "batching.hpp"
#include "bound_network.hpp"

namespace shiftnorm::adapt {

/// The target statistics of each domain, as `measuring` says (its policy is not looked at); domains do not see each
/// other.
/// outputs   filled by the way with those under what was measured, only for semantics `layerwise`; may be null
/// reached   only with one domain, may be null: what an earlier measurement left, to go on from. What was reached
///           before an exception is left in it.
/// Errors  as Engine::run(), and exec::NonFinite for the first bad image.
[[nodiscard]] std::vector<stats::Statistics> measure(BoundNetwork& network, const Mode& measuring,
                                                     const Groups& domains, const Images& images, Outputs* outputs,
                                                     stats::Statistics* reached, const Progress& progress);

/// What measure() will take for so many images of one domain, or evaluate_groups() under a mode that is not fixed.
[[nodiscard]] exec::SweepEstimate estimate(BoundNetwork& network, const Mode& mode, std::size_t images, bool outputs);

/// Errors  FormatError if there are none.
void require_images(const Images& images);

}  // namespace shiftnorm::adapt
