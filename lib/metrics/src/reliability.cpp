#include <fmt/format.h>

#include "check.hpp"
#include "confidence_bins.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::metrics {

std::vector<ReliabilityBin> reliability(const Predictions& predictions, int bins) {
  if (bins < 1) throw ConfigError(fmt::format("reliability: {} bins; expected at least 1", bins));
  const std::vector<std::int32_t> guess = predicted(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<ReliabilityBin> out(static_cast<std::size_t>(bins));
  for (int m = 0; m < bins; ++m) {
    out[static_cast<std::size_t>(m)].low = static_cast<double>(m) / bins;
    out[static_cast<std::size_t>(m)].high = static_cast<double>(m + 1) / bins;
  }
  for (std::size_t i = 0; i < guess.size(); ++i) {
    if (guess[i] < 0) continue;
    const double confidence = predictions.probabilities[i * classes + static_cast<std::size_t>(guess[i])];
    ReliabilityBin& bin = out[static_cast<std::size_t>(confidence_bin(confidence, bins))];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += guess[i] == predictions.labels[i] ? 1 : 0;
  }
  for (ReliabilityBin& bin : out) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return out;
}

}  // namespace shiftnorm::metrics
