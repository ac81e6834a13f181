#pragma once

#include <cstddef>
#include <vector>

#include "cut.hpp"

namespace shiftnorm::exec {

/// The last actions of a sweep, where they are done for several images together, because a matrix that fills no cache
/// is then read once for all of them: classifiers. Each image has its own memory for what they read and write.
struct Tail {
  std::size_t first = 0;            ///< its first action in the last segment; the number of actions there: no tail
  std::vector<InstanceIndex> kept;  ///< what earlier actions gave
  Indexed<InstanceIndex, std::size_t> offset;  ///< of those that the tail has: in floats
  std::size_t floats = 0;                      ///< for one image

  /// Images that share a reading of the matrix.
  static constexpr std::size_t kTogether = 8;
};

/// Of a cut whose outputs are wanted: from the first kernel that gains by it, with no more than a few values from there
/// to the end.
[[nodiscard]] Tail find_tail(const Program& program, const Cut& cut);

}  // namespace shiftnorm::exec
