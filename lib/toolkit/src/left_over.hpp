#pragma once

#include <span>
#include <string>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "weight_choice.hpp"

namespace shiftnorm::toolkit {

/// A file whose tensors the network leaves unused may be another network's. Left alone is what changes no output: what
/// profilers count, auxiliary heads, losses and metrics, queues of negatives, single whole numbers, the other sets of
/// weights, second names of tensors that are used, and what `allow_unused` (patterns of names in the file) lets be.
/// `names`: of the checkpoint's tensors as the architecture spells them.
/// Errors  FormatError naming the rest.
void check_left_over(const formats::Checkpoint& checkpoint, std::span<const std::string> names,
                     const graph::Binding& binding, const WeightChoice& choice,
                     std::span<const std::string> allow_unused);

}  // namespace shiftnorm::toolkit
