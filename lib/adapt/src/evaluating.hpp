#pragma once

#include <vector>

#include "batching.hpp"
#include "bound_network.hpp"

namespace shiftnorm::adapt {

/// The rows of `outputs` for `chosen` of the images, under these statistics.
void infer(BoundNetwork& network, const stats::Statistics& statistics, const std::vector<std::size_t>& chosen,
           const Images& images, Outputs& outputs, const Progress& progress);

/// Under a mode that is not fixed(), policies `batch` and `instance` and a source that changes with the batch: each
/// group of a domain's images is normalised with its own statistics, blended with the source if asked. Rows of images
/// in no domain are left as they are.
void evaluate_groups(BoundNetwork& network, const Mode& mode, const Groups& domains, const Images& images,
                     Outputs& outputs, const Progress& progress);

}  // namespace shiftnorm::adapt
