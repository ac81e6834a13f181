#include <algorithm>
#include <cmath>

#include "normal.hpp"
#include "quantile.hpp"
#include "resampling.hpp"

namespace shiftnorm::metrics {
namespace {

/// The quantile of the sums that come of `factor` times the terms and the resamples' errors.
double quantile_at(const Magnitudes& data, double factor, double q) {
  std::vector<double> errors = data.errors(factor);
  std::ranges::sort(errors);
  return factor * data.sum() + quantile(errors, q);
}

/// The least multiple of the terms from which the sum seen, or more, comes often enough.
double least_factor(const Magnitudes& data, double level) {
  constexpr int kSteps = 30;  // halvings: far below what a thousand resamples resolve
  const double seen = data.sum(), tail = (1 + level) / 2;
  if (quantile_at(data, 0, tail) >= seen) return 0;
  double low = 0, high = 1;
  for (int step = 0; step < kSteps; ++step) {
    const double middle = (low + high) / 2;
    (quantile_at(data, middle, tail) < seen ? low : high) = middle;
  }
  return low;
}

/// Quantile of the errors of `biased` less those of `other`, the latter around their mean.
double quantile_of_difference(const Magnitudes& biased, const Magnitudes& other, double level) {
  std::vector<double> errors = biased.errors(least_factor(biased, level));
  const std::vector<double> noise = other.errors(1);
  const double centre = mean(noise);
  for (std::size_t r = 0; r < errors.size(); ++r) errors[r] -= noise[r] - centre;
  std::ranges::sort(errors);
  return quantile(errors, (1 + level) / 2);
}

}  // namespace

double sum_of_absolutes(std::span<const double> terms) {
  double sum = 0;
  for (const double term : terms) sum += std::abs(term);
  return sum;
}

std::vector<double> Magnitudes::errors(double factor) const {
  std::vector<double> out;
  out.reserve(drawn.size());
  const double truth = factor * sum();
  for (const std::vector<double>& one : drawn) {
    double sum = 0;
    for (std::size_t k = 0; k < one.size(); ++k) sum += std::abs(one[k] - (1 - factor) * terms[k]);
    out.push_back(sum - truth);
  }
  return out;
}

Interval magnitude_interval(const Magnitudes& data, double level) {
  const double seen = data.sum();
  return {least_factor(data, level) * seen, seen + normal_quantile((1 + level) / 2) * deviation(data.errors(1))};
}

Interval magnitude_difference(const Magnitudes& a, const Magnitudes& b, double level) {
  const double seen = b.sum() - a.sum();
  return {seen - quantile_of_difference(b, a, level), seen + quantile_of_difference(a, b, level)};
}

}  // namespace shiftnorm::metrics
