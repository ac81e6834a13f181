#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "index.hpp"
#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/core/shape.hpp"

namespace shiftnorm::exec {

struct ProgramValue {
  Layout layout;
  Shape shape;         ///< with N = 1
  StepIndex producer;  ///< none: the network's input
  /// Its moments follow from what it is computed from, and nothing reads it but a step that has a fused form: it is
  /// measured without being written (decision 0031).
  bool measured_unwritten = false;
};

struct ProgramStep {
  std::string name;  ///< of the graph's node, for messages
  std::string op;    ///< of the node; of all that were joined, "BatchNormalization+Relu"
  std::vector<ValueIndex> src;
  ValueIndex dst;
  std::vector<SetIndex> sets;    ///< BatchNorm sets whose scale and shift it uses
  std::string_view kernel_name;  ///< of the row of kernel_choices() that was chosen, or one of a few others
  std::string form;              ///< of a windowed operator: form_of()
  std::unique_ptr<Kernel> kernel;
  StepIndex fused;        ///< the step that gives dst without `between`: a convolution and a normalisation in one
  ValueIndex between;     ///< of such a step and the one it replaces: what one of the two hands to the other
  bool prologue = false;  ///< the normalisation comes first: pays where its source is carried from an earlier segment
};

/// The network's input, plain.
inline constexpr ValueIndex kInputValue{0};

/// Steps in topological order, but that fused ones, which no value names as its producer, come last.
struct Program {
  std::int64_t block = 16;  ///< channels per block of blocked values
  Indexed<ValueIndex, ProgramValue> values;
  Indexed<StepIndex, ProgramStep> steps;
  std::vector<ValueIndex> outputs;
  Indexed<SetIndex, std::vector<ValueIndex>> measured;  ///< the values that are a set's inputs, one per use
};

}  // namespace shiftnorm::exec
