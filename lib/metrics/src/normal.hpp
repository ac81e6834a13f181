#pragma once

namespace shiftnorm::metrics {

/// The standard normal distribution function, and its inverse for p in (0, 1) (-inf and inf at the ends).
[[nodiscard]] double normal_cdf(double x);
[[nodiscard]] double normal_quantile(double p);

}  // namespace shiftnorm::metrics
