#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program.hpp"

namespace shiftnorm::exec {

/// Channels of a BatchNorm set that are measured by themselves: all of them, or those that one part of a concatenation
/// has. Other sets with the same part in their concatenations (DenseNet's) take over what was measured.
struct MeasuredPart {
  int set = -1;            ///< whose pivots it is measured around
  std::int64_t first = 0;  ///< of the set's channels
  std::int64_t channels = 0;
};

/// One thing to do for an image: run a step, or measure a value. Values are named by the cut's ids.
struct Action {
  int step = -1;           ///< -1: measure
  int value = -1;          ///< what is written or measured
  std::vector<int> src;    ///< what the step reads
  std::vector<int> parts;  ///< what the value is measured for
  int result_of = -1;      ///< measured is the result that this step would give from the value
};

/// The part of the program between two levels.
struct Segment {
  std::int64_t level = 0;  ///< the level whose BatchNorms it measures; 0: the last segment, which gives the outputs
  std::vector<int> sets;   ///< whose moments are known at its end
  bool loads_input = false;
  std::vector<Action> actions;
};

/// The program cut into segments. A value that is computed once has its number in the program as its id; whenever it is
/// computed again it gets another id behind those.
struct Cut {
  std::vector<Segment> segments;
  std::vector<int> origin;   ///< per id: the program's value
  std::vector<int> outputs;  ///< ids
  std::vector<MeasuredPart> parts;
  std::vector<std::vector<int>> made_of;  ///< per set: the parts that its moments are, in the order of channels
};

/// recomputed[value]: it is not kept beyond its segment; segments that need it later compute it again, from what is
/// kept. Other arguments: make_schedule().
[[nodiscard]] Cut cut_program(const Program& program, const std::vector<std::int64_t>& level, bool settled,
                              std::size_t outputs, const std::vector<bool>& recomputed);

/// When an id lives: action numbers over all segments, and segments.
struct Life {
  int first = 0, last = -1;
  int first_segment = 0, last_segment = -1;

  [[nodiscard]] bool lives() const { return last >= 0; }
  [[nodiscard]] bool crosses() const { return last_segment > first_segment; }
  void touch(int action, int segment);
  void join(const Life& other);
};

/// Per id. Marks the segments that load the input: it is loaded anew in every segment that reads it, never carried.
[[nodiscard]] std::vector<Life> lifetimes(Cut& cut);

}  // namespace shiftnorm::exec
