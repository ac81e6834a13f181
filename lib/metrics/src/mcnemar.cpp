#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "normal.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::metrics {

double mcnemar_p(std::int64_t only_first, std::int64_t only_second) {
  if (only_first < 0 || only_second < 0 || only_first > 1'000'000'000 || only_second > 1'000'000'000)
    throw ShapeError(
        fmt::format("McNemar: {} and {} discordant pairs; expected 0 to 1000000000", only_first, only_second));
  const std::int64_t few = std::min(only_first, only_second), pairs = only_first + only_second;
  if (only_first == only_second) return 1;
  // The sum of the binomial coefficients C(pairs, 0..few), kept as sum * 2^exponent: they leave double's range from
  // 1030 pairs on.
  constexpr int kStep = 512;
  double term = 1, sum = 1;
  std::int64_t exponent = 0;
  for (std::int64_t i = 1; i <= few; ++i) {
    term *= static_cast<double>(pairs - i + 1) / static_cast<double>(i);
    sum += term;
    if (sum < 0x1p512) continue;
    term = std::ldexp(term, -kStep);
    sum = std::ldexp(sum, -kStep);
    exponent += kStep;
  }
  // Below -2200 the power is 0 in double whatever the sum; the clamp keeps the exponent an int.
  const auto scale = static_cast<int>(std::max<std::int64_t>(exponent - pairs + 1, -2200));
  return not_zero(std::min(1.0, std::ldexp(sum, scale)));
}

McNemar mcnemar(const Predictions& first, const Predictions& second) {
  check_pair(first, second);
  const std::vector<std::int32_t> a = predicted(first), b = predicted(second);
  McNemar result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool first_right = a[i] == first.labels[i], second_right = b[i] == first.labels[i];
    if (first_right && !second_right) ++result.only_first;
    if (!first_right && second_right) ++result.only_second;
  }
  result.p = mcnemar_p(result.only_first, result.only_second);
  return result;
}

}  // namespace shiftnorm::metrics
