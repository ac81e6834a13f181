#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/core/shape.hpp"

namespace shiftnorm::exec {

struct ProgramValue {
  Layout layout;
  Shape shape;        ///< with N = 1
  int producer = -1;  ///< step, or -1: the network's input
  /// Its moments follow from what it is computed from, and nothing reads it but a step that has a fused form: it is
  /// measured without being written (decision 0031).
  bool measured_unwritten = false;
};

struct ProgramStep {
  std::string name;      ///< of the graph's node, for messages
  std::vector<int> src;  ///< values
  int dst = -1;
  std::vector<int> sets;  ///< BatchNorm sets whose scale and shift it uses
  std::unique_ptr<Kernel> kernel;
  int fused = -1;         ///< the step that gives dst without `between`: a convolution and a normalisation in one
  int between = -1;       ///< of such a step and the one it stands for: what one of the two hands to the other
  bool prologue = false;  ///< the normalisation comes first: pays where its source is carried from an earlier segment
};

/// Steps in topological order, but that fused ones, which no value names as its producer, come last. Value 0 is the
/// input, plain.
struct Program {
  std::int64_t block = 16;  ///< channels per block of blocked values
  std::vector<ProgramValue> values;
  std::vector<ProgramStep> steps;
  std::vector<int> outputs;
  std::vector<std::vector<int>> measured;  ///< per BatchNorm set: the values that are its inputs, one per use
};

}  // namespace shiftnorm::exec
