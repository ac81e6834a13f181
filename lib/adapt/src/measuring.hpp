#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "batching.hpp"
#include "bound_network.hpp"

namespace shiftnorm::adapt {

/// The target statistics of each domain; domains do not see each other.
/// modes     one per domain; they measure alike, but for the mixtures of `matched`, which corrects each layer before the
///           next is measured (what is given back is as it was measured)
/// outputs   filled by the way with those under what was measured, only for semantics `layerwise`; may be null
/// reached   only with one domain, may be null: what an earlier measurement left, to go on from. What was reached
///           before an exception is left in it.
/// Errors  as Engine::run(), and exec::NonFinite for the first bad image.
[[nodiscard]] std::vector<stats::Statistics> measure(BoundNetwork& network, std::span<const Mode> modes,
                                                     const Groups& domains, const Images& images, Outputs* outputs,
                                                     stats::Statistics* reached, const Progress& progress);

/// Engine::match_first() on one domain.
[[nodiscard]] stats::Statistics measure_partly_matched(BoundNetwork& network, const Mode& mode, std::size_t count,
                                                       const Groups& domain, const Images& images, Outputs& outputs,
                                                       const Progress& progress);

/// What measure() will take for so many images of one domain, or evaluate_groups() under a mode that is not fixed.
[[nodiscard]] exec::SweepEstimate estimate(BoundNetwork& network, const Mode& mode, std::size_t images, bool outputs);

/// Errors  FormatError if there are none.
void require_images(const Images& images);

}  // namespace shiftnorm::adapt
