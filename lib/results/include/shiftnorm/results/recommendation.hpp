#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::results {

/// What the outputs of one mode show without target labels. Absent numbers are undefined, or need labelled source data.
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

/// The mode to use, judged without target labels.
struct Recommendation {
  std::optional<std::string> mode;   ///< absent: it cannot be determined
  std::vector<std::string> because;  ///< sentences
  std::string confidence;            ///< "high", "low", "cannot tell"
};

/// Whether the rule behind recommendations was tried on modes of that policy: others can be sure of nonsense
/// (`disabled` scales its outputs without measure).
[[nodiscard]] bool recommendable(std::string_view policy);

}  // namespace shiftnorm::results
