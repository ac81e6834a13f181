#pragma once

#include <cstddef>
#include <vector>

#include "cut.hpp"

namespace shiftnorm::exec {

/// Which instances lie in one piece of memory: results written over a source that dies with them, and the parts of a
/// concatenation, which are written where they will lie, so that nothing is copied.
struct Pieces {
  Indexed<InstanceIndex, InstanceIndex> root;  ///< the one whose memory it lies in, itself if alone
  Indexed<InstanceIndex, std::size_t> shift;   ///< floats into that memory
  Lives life;                                  ///< of a root: of all that lies in it; of others nothing
};

/// `join_parts`: concatenations are made in place where they can be.
[[nodiscard]] Pieces pieces_of(const Program& program, const Cut& cut, const Lives& lives, bool join_parts);

[[nodiscard]] std::size_t floats_of(const Program& program, const Cut& cut, InstanceIndex instance);

/// Where an instance lives while an image is carried through.
struct Place {
  bool carried = false;    ///< in the image's carried activations, else in the worker's own memory
  std::size_t offset = 0;  ///< in floats
};

struct Placement {
  Indexed<InstanceIndex, Place> places;
  std::size_t carried_floats = 0, local_floats = 0;
};

/// What is needed beyond its segment is carried; memory is reused once what lay there is dead.
[[nodiscard]] Placement place(const Program& program, const Cut& cut, const Pieces& pieces);

}  // namespace shiftnorm::exec
