#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program.hpp"

namespace shiftnorm::exec {

/// Channels of a BatchNorm set that are measured separately: all of them, or those that one part of a concatenation
/// has. Other sets with the same part in their concatenations (DenseNet's) reuse what was measured.
struct MeasuredPart {
  SetIndex set;            ///< whose pivots it is measured around
  std::int64_t first = 0;  ///< of the set's channels
  std::int64_t channels = 0;
};

/// One thing to do for an image: run a step, or measure a value.
struct Action {
  StepIndex step;                  ///< none: measure
  InstanceIndex value;             ///< what is written or measured
  std::vector<InstanceIndex> src;  ///< what the step reads
  std::vector<PartIndex> parts;    ///< what the value is measured for
  StepIndex result_of;             ///< measured is the result that this step would give from the value

  [[nodiscard]] bool measures() const { return !step.exists(); }
};

/// The part of the program between two levels.
struct Segment {
  std::int64_t level = 0;      ///< the level whose BatchNorms it measures; 0: the last segment, which gives the outputs
  std::vector<SetIndex> sets;  ///< whose moments are known at its end
  bool loads_input = false;
  std::vector<Action> actions;
};

/// The program cut into segments. What is computed first of a value is the instance of the same number, its first one;
/// whenever it is computed again that is another instance behind those.
struct Cut {
  std::vector<Segment> segments;
  Indexed<InstanceIndex, ValueIndex> origin;  ///< what an instance is computed of
  std::vector<InstanceIndex> outputs;
  Indexed<PartIndex, MeasuredPart> parts;
  Indexed<SetIndex, std::vector<PartIndex>> made_of;  ///< the parts that its moments are, in the order of channels
};

[[nodiscard]] inline InstanceIndex first_instance(ValueIndex value) { return InstanceIndex(value.number()); }
/// Of the network's input, which is loaded and not computed.
inline constexpr InstanceIndex kInputInstance{0};

/// recomputed[value]: it is not kept beyond its segment; segments that need it later compute it again, from what is
/// kept. Other arguments: make_schedule().
[[nodiscard]] Cut cut_program(const Program& program, const std::vector<std::int64_t>& level, bool layerwise,
                              std::size_t outputs, const Indexed<ValueIndex, bool>& recomputed);

/// When an instance lives: from its first action to its last, and in which segments they are.
struct Life {
  ActionIndex first, last;  ///< none: it does not
  std::size_t first_segment = 0, last_segment = 0;

  [[nodiscard]] bool lives() const { return last.exists(); }
  [[nodiscard]] bool crosses() const { return last_segment > first_segment; }
  void touch(ActionIndex action, std::size_t segment);
  void join(const Life& other);
};
using Lives = Indexed<InstanceIndex, Life>;

/// Marks the segments that load the input: it is loaded anew in every segment that reads it, never carried.
[[nodiscard]] Lives lifetimes(Cut& cut);

}  // namespace shiftnorm::exec
