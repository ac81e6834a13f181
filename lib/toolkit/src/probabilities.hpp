#pragma once

#include <span>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"

namespace shiftnorm::toolkit {

/// Outputs of rows of `width` as probabilities: of one choice among classes, or with `findings` of each by itself.
[[nodiscard]] std::vector<double> probabilities_of(std::span<const float> outputs, std::int64_t width,
                                                   config::OutputKind kind, bool findings);

/// One image's outputs corrected for the target's mixture, before any activation: what `prior` adds to logits, or to the log odds
/// of sigmoid outputs; of probabilities, multiplied and normalised. Source  Saerens et al. 2002, eq. 4.
void correct_for_prior(std::span<const double> prior, config::OutputKind kind, std::span<float> row);

}  // namespace shiftnorm::toolkit
