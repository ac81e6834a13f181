#pragma once

#include <cstdint>

#include "shiftnorm/metrics/label_free.hpp"
#include "shiftnorm/results/results.hpp"

namespace shiftnorm::toolkit {

/// Where the rule draws its lines, fixed on ResNet-20 and ten corruptions (docs/study.md, "Without labels").
struct RecommendThresholds {
  std::int64_t images = 10;  ///< fewer say too little about spread over classes
  double lean = 0.65;        ///< source's effective classes over the best mode's: below, one of both must be wrong ..
  double doubt = 0.05;       ///< .. and where the best mode's mean confidence is lower by this, either may be
  double lead = 0.01;        ///< a smaller lead of the nuclear norm is of low confidence
  double collapsed = 1.05;   ///< fewer effective classes are one class and a stray image
};

/// Fills `label_free` of every mode whose outputs are one choice among classes, from its probabilities alone.
/// source: labelled source images under mode `source`; null without them.
void fill_label_free(results::RunResults& results, const metrics::Predictions* source);

/// The mode with the largest nuclear norm among those that the rule was tried on (source, adabn, blend, mixture), or
/// `cannot tell`. Reads label_free, drift and settling: never a label or a score, so that target labels change nothing.
[[nodiscard]] results::Recommendation recommend(const results::RunResults& results,
                                                const RecommendThresholds& thresholds = {});

}  // namespace shiftnorm::toolkit
