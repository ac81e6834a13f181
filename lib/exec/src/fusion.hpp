#pragma once

#include <set>
#include <utility>
#include <vector>

#include "normalise.hpp"
#include "program.hpp"

namespace shiftnorm::exec {

/// What lowering has seen of steps that convolutions may take in.
struct Fusible {
  std::vector<std::pair<StepIndex, NormaliseTerms>> normalisations;  ///< steps, and what they write
  std::set<ValueIndex> gated;  ///< values that are products with a factor per channel
};

/// Lets convolutions take in the channel factors of squeeze-and-excitation, and gives normalisations and convolutions
/// that follow each other a form in one pass (ProgramStep::fused), where nothing else reads the value in between.
void fuse(Program& program, const Fusible& fusible);

}  // namespace shiftnorm::exec
