#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "program.hpp"

namespace shiftnorm::exec {

/// One thing to do for an image: run a step, or measure a value for BatchNorm sets.
struct Action {
  int step = -1;  ///< -1: measure
  int value = -1;
  std::vector<int> sets;
};

/// The part of the program between two levels.
struct Segment {
  std::int64_t level = 0;  ///< the level whose BatchNorms it measures; 0: the last segment, which gives the outputs
  bool loads_input = false;
  std::vector<Action> actions;
};

/// Where a value lives while an image is carried through.
struct Place {
  bool frontier = false;   ///< in the image's part of the frontier, else in the worker's own memory
  std::size_t offset = 0;  ///< in floats
};

/// The program cut into segments, and memory for every value: values needed beyond their segment live in the frontier,
/// all others in the worker's memory. Places are reused once their value is dead.
struct Schedule {
  std::vector<Segment> segments;
  std::vector<Place> places;        ///< per value
  std::size_t frontier_floats = 0;  ///< per image
  std::size_t local_floats = 0;     ///< per worker
  std::size_t scratch_bytes = 0;    ///< per worker
};

/// level[set]: 0 when it is not measured, else its level, from 1. `settled`: later levels wait for earlier ones (each
/// level is a segment); otherwise everything is measured in one go. `outputs`: how many of the
/// program's outputs are wanted, from the first.
[[nodiscard]] Schedule make_schedule(const Program& program, const std::vector<std::int64_t>& level, bool settled,
                                     std::size_t outputs);

}  // namespace shiftnorm::exec
