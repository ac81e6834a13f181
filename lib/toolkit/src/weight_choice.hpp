#pragma once

#include <span>
#include <string>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/weight_sets.hpp"

namespace shiftnorm::toolkit {

/// Which of a file's sets of weights a network gets.
struct WeightChoice {
  std::string prefix;               ///< of the names of its tensors; see graph::WeightSet
  std::vector<std::string> others;  ///< prefixes of whole sets that are not used
  std::string assumption;           ///< said where there was a choice and nobody made it; else empty
};

/// Whether two tensors of a checkpoint are the same numbers under two names.
[[nodiscard]] bool same_storage(const formats::NamedTensor& a, const formats::NamedTensor& b);

/// The set with the most of the `wanted` parameters. Of several with as many: what the authors' own evaluation of such
/// files loads (docs/decisions/0038), then the shortest prefix, then the first in the file. `names`: of the
/// checkpoint's tensors as the architecture spells them; `wrappings`: of `wanted`. Sets that share their storage are
/// one. Errors  ConfigError for a prefix in checkpoint.weights that no set of the file has: lists those that there are.
[[nodiscard]] WeightChoice choose_weights(const formats::Checkpoint& checkpoint, std::span<const std::string> names,
                                          std::span<const std::string> wanted, const graph::Wrappings& wrappings);

}  // namespace shiftnorm::toolkit
