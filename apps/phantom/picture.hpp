#pragma once

#include <cstddef>
#include <vector>

namespace shiftnorm::phantom {

/// A square grey picture before it is digitised: row-major, 0 dark (air), 1 bright (dense).
struct Picture {
  std::size_t side = 0;
  std::vector<double> values;

  explicit Picture(std::size_t s) : side(s), values(s * s, 0.0) {}
  [[nodiscard]] double& at(std::size_t row, std::size_t column) { return values[row * side + column]; }
  [[nodiscard]] double at(std::size_t row, std::size_t column) const { return values[row * side + column]; }
};

}  // namespace shiftnorm::phantom
