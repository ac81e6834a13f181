#pragma once

namespace shiftnorm::metrics {

/// The standard normal distribution function, and its inverse for p in (0, 1) (-inf and inf at the ends).
[[nodiscard]] double normal_cdf(double x);
[[nodiscard]] double normal_quantile(double p);
/// The quantile of Student's t with any number of degrees of freedom > 0, for p in (0, 1).
[[nodiscard]] double student_quantile(double p, double freedom);
/// A p-value is never 0: what has underflowed is the least normal double.
[[nodiscard]] double not_zero(double p);

}  // namespace shiftnorm::metrics
