#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/metrics/label_free.hpp"

namespace shiftnorm::experiment {

struct RunResults;

/// What the outputs of one mode tell without target labels. Absent numbers are undefined, or need labelled source data.
struct LabelFree {
  std::int64_t images = 0;                                    ///< with finite outputs
  double confidence = 0;                                      ///< mean largest probability
  double effective_classes = 0;                               ///< of the predictions, metrics::effective_classes
  std::vector<double> shares;                                 ///< of the predicted classes
  std::optional<double> agreement, nuclear_norm, dispersion;  ///< agreement: with `source`
  std::optional<double> atc, cot;     ///< accuracies, estimated from labelled source data under `source`
  std::optional<double> label_shift;  ///< total variation between the source's labels and the BBSE estimate of these
  std::map<std::string, std::string> reasons;  ///< of each absent number, by its name in results.json
};

/// The mode to use, told without target labels.
struct Recommendation {
  std::optional<std::string> mode;   ///< absent: it cannot be told
  std::vector<std::string> because;  ///< sentences
  std::string confidence;            ///< "high", "low", "cannot tell"
};

/// Where the rule draws its lines, fixed on ResNet-20 and ten corruptions (docs/study.md, "Without labels").
struct RecommendThresholds {
  std::int64_t images = 10;  ///< fewer say too little about spread over classes
  double lean = 0.65;        ///< source's effective classes over the best mode's: below, one of both must be wrong ..
  double doubt = 0.05;       ///< .. and where the best mode's mean confidence is lower by this, either may be
  double lead = 0.01;        ///< a smaller lead of the nuclear norm is of low confidence
  double collapsed = 1.05;   ///< fewer effective classes are one class and a stray image
};

/// Whether the rule was tried on modes of that policy: others can be sure of nonsense (`disabled` scales its outputs
/// without measure).
[[nodiscard]] bool recommendable(adapt::Policy policy);

/// Fills `label_free` of every mode whose outputs are one choice among classes, from its probabilities alone.
/// source: labelled source images under mode `source`; null without them.
void fill_label_free(RunResults& results, const metrics::Predictions* source);

/// The mode with the largest nuclear norm among those that the rule was tried on (source, adabn, blend, mixture), or
/// `cannot tell`. Reads label_free, drift and settling: never a label or a score, so that target labels change nothing.
[[nodiscard]] Recommendation recommend(const RunResults& results, const RecommendThresholds& thresholds = {});

}  // namespace shiftnorm::experiment
