#include "shiftnorm/metrics/libraries.hpp"

#include <fmt/format.h>

#include <Eigen/Core>

namespace shiftnorm::metrics {

std::vector<Library> libraries() {
  return {{"Eigen", fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)}};
}

}  // namespace shiftnorm::metrics
