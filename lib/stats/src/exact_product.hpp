#pragma once

#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::stats {

/// sum * factor without rounding, but for bits below 2^-288.
[[nodiscard]] ExactSum times(const ExactSum& sum, double factor) noexcept;

}  // namespace shiftnorm::stats
