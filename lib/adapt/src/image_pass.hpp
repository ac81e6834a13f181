#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "bound_network.hpp"

namespace shiftnorm::adapt {

/// The network with these statistics on one image after the other; see Engine::each_image().
/// Errors  exec::NonFinite for the first image whose activations are not finite; as exec::Sweeper::run().
void pass_images(BoundNetwork& network, const stats::Statistics& statistics, const std::vector<std::size_t>& chosen,
                 const Images& images, std::string_view stage, const std::function<void(const SeenImage&)>& seen,
                 const Progress& progress);

}  // namespace shiftnorm::adapt
