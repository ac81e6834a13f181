#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/experiment/results.hpp"

namespace shiftnorm::experiment {

/// What every mode is scored against.
struct Scorer {
  EvaluateConfig evaluate;
  std::uint64_t seed = 0;  ///< of the resamples: the same for every mode, so that pairs stay pairs
  OutputKind outputs = OutputKind::logits;
  std::vector<std::int32_t> labels;  ///< per image, -1: none; only labelled images are scored
  int threads = 1;
  bool classifies = true;  ///< false: outputs are no class scores, so that nothing is scored

  /// Everything a mode's outputs say: scores where there are labels, confidence and entropy without them too.
  [[nodiscard]] ModeReport report(const adapt::Mode& mode, const adapt::ModeResult& result) const;
  /// Fills `versus_source` of a report: McNemar for accuracy, the paired bootstrap for the other metrics.
  void compare(ModeReport& report, const ModeReport& source) const;
};

}  // namespace shiftnorm::experiment
