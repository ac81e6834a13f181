#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "placement.hpp"
#include "tail.hpp"

namespace shiftnorm::exec {

/// The program cut into segments, and memory for every value: values needed beyond their segment are carried
/// activations, all others lie in the worker's memory. Places are reused once their value is dead.
struct Schedule {
  std::vector<Segment> segments;
  // As in Cut.
  Indexed<InstanceIndex, ValueIndex> origin;
  std::vector<InstanceIndex> outputs;
  Indexed<PartIndex, MeasuredPart> parts;
  Indexed<SetIndex, std::vector<PartIndex>> made_of;

  Indexed<InstanceIndex, Place> places;
  std::size_t carried_floats = 0;   ///< per image
  std::size_t local_floats = 0;     ///< per worker
  std::size_t carried_traffic = 0;  ///< floats per image: each segment moves each value that it touches once
  std::size_t scratch_bytes = 0;    ///< per worker
  Tail tail;                        ///< of the last segment
};

/// level[set]: 0 when it is not measured, else its level, from 1. `layerwise`: later levels wait for earlier ones (each
/// level is a segment); otherwise everything is measured in one go. `outputs`: how many of the
/// program's outputs are wanted, from the first. carried_cost: as choose_recomputed().
[[nodiscard]] Schedule make_schedule(const Program& program, const std::vector<std::int64_t>& level, bool layerwise,
                                     std::size_t outputs, double carried_cost);

}  // namespace shiftnorm::exec
