#pragma once

#include "shiftnorm/results/verdict.hpp"

namespace shiftnorm::report {

/// The judgement in words: the first sentence is the headline.
[[nodiscard]] results::Verdict verdict(const results::View& view);

}  // namespace shiftnorm::report
