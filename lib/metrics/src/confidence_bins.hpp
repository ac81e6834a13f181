#pragma once

#include <algorithm>
#include <cmath>

namespace shiftnorm::metrics {

/// The bin of a confidence, taken into [0, 1]: the first m with confidence <= (m + 1) / bins. Edges are the quotients
/// in double, which a rounded product can miss by one: compared, not computed.
[[nodiscard]] inline int confidence_bin(double confidence, int bins) {
  confidence = std::clamp(confidence, 0.0, 1.0);
  int m = std::clamp(static_cast<int>(std::ceil(confidence * bins)) - 1, 0, bins - 1);
  while (m > 0 && confidence <= static_cast<double>(m) / bins) --m;
  while (m < bins - 1 && confidence > static_cast<double>(m + 1) / bins) ++m;
  return m;
}

}  // namespace shiftnorm::metrics
