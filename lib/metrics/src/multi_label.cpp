#include <fmt/format.h>

#include "prepared.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::metrics {

Finding finding(const MultiLabel& data, std::int64_t output) {
  if (data.outputs < 1 || output < 0 || output >= data.outputs)
    throw ShapeError(fmt::format("findings: output {} of {}; expected one of them", output, data.outputs));
  const auto width = static_cast<std::size_t>(data.outputs);
  if (data.labels.size() != data.probabilities.size() || data.labels.size() % width != 0)
    throw ShapeError(fmt::format("findings: {} labels and {} probabilities; expected one of each for {} outputs",
                                 data.labels.size(), data.probabilities.size(), width));
  Finding out;
  out.predictions.classes = 2;
  for (std::size_t i = 0; i < data.images(); ++i) {
    const std::size_t at = i * width + static_cast<std::size_t>(output);
    const std::int8_t label = data.labels[at];
    if (label < -1 || label > 1)
      throw ShapeError(fmt::format("findings: image {} has label {}; expected 0, 1 or -1 for not known", i, label));
    if (label < 0) continue;
    out.images.push_back(i);
    out.predictions.labels.push_back(label);
    out.predictions.probabilities.push_back(1 - data.probabilities[at]);
    out.predictions.probabilities.push_back(data.probabilities[at]);
  }
  return out;
}

Resampled over_findings(const MetricSpec& metric, const MultiLabel& data) {
  struct Part {
    std::vector<std::size_t> images;
    Resampled score;
  };
  std::vector<Part> parts;
  for (std::int64_t output = 0; output < data.outputs; ++output) {
    Finding one = finding(data, output);
    if (one.images.empty()) continue;
    Resampled score = metric.prepare(one.predictions);
    parts.push_back({std::move(one.images), std::move(score)});
  }
  return [parts = std::move(parts)](std::span<const std::uint32_t> counts) -> Score {
    double sum = 0, defined = 0;
    std::string reason = kNoImages;
    std::vector<std::uint32_t> known;
    for (const Part& part : parts) {
      known.clear();
      for (const std::size_t i : part.images) known.push_back(counts[i]);
      const Score score = part.score(known);
      if (score.value) {
        sum += *score.value;
        defined += 1;
      } else {
        reason = score.reason;
      }
    }
    if (defined == 0) return {std::nullopt, reason};
    return {sum / defined, {}};
  };
}

}  // namespace shiftnorm::metrics
