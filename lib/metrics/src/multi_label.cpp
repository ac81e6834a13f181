#include <fmt/format.h>

#include <memory>

#include "prepared.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::metrics {
namespace {

/// A finding's statistic, over the images of which it is known.
struct Known {
  std::vector<std::size_t> images;
  Resampled statistic;

  [[nodiscard]] std::vector<std::uint32_t> among(std::span<const std::uint32_t> counts) const {
    std::vector<std::uint32_t> out;
    out.reserve(images.size());
    for (const std::size_t i : images) out.push_back(counts[i]);
    return out;
  }
};

/// What a finding needs of a resample, in terms of all images: what its metric does, and one image at all.
void add_needs(Resampled& to, const Known& known) {
  const auto place = [&](std::size_t i) { return static_cast<std::uint32_t>(known.images[i]); };
  const std::size_t first = to.needed.size();
  for (const std::vector<std::uint32_t>& group : known.statistic.needed) {
    std::vector<std::uint32_t>& out = to.needed.emplace_back();
    for (const std::uint32_t i : group) out.push_back(place(i));
  }
  if (known.statistic.parts.empty()) {
    std::vector<std::uint32_t>& out = to.needed.emplace_back();
    for (std::size_t i = 0; i < known.images.size(); ++i) out.push_back(place(i));
    to.parts.push_back(to.needed.size() - 1);
  }
  for (const std::size_t part : known.statistic.parts) to.parts.push_back(first + part);
}

}  // namespace

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
      throw ShapeError(fmt::format("findings: image {} has label {}; expected 0, 1 or -1 for unknown", i, label));
    if (label < 0) continue;
    out.images.push_back(i);
    out.predictions.labels.push_back(label);
    out.predictions.probabilities.push_back(1 - data.probabilities[at]);
    out.predictions.probabilities.push_back(data.probabilities[at]);
  }
  return out;
}

Resampled over_findings(const MetricSpec& metric, const MultiLabel& data) {
  std::vector<Known> all;
  std::string reason = kNoImages;
  for (std::int64_t output = 0; output < data.outputs; ++output) {
    Finding one = finding(data, output);
    if (one.images.empty()) continue;
    Known known{std::move(one.images), metric.prepare(one.predictions)};
    const Score score = known.statistic(std::vector<std::uint32_t>(known.images.size(), 1));
    if (score.value)
      all.push_back(std::move(known));
    else
      reason = score.reason;
  }
  if (all.empty()) return undefined(reason);
  Resampled out;
  out.range = all.front().statistic.range;
  for (const Known& known : all) add_needs(out, known);
  const auto parts = std::make_shared<const std::vector<Known>>(std::move(all));
  out.score = [parts](std::span<const std::uint32_t> counts) -> Score {
    double sum = 0;
    for (const Known& known : *parts) {
      Score score = known.statistic(known.among(counts));
      if (!score.value) return score;
      sum += *score.value;
    }
    return {sum / static_cast<double>(parts->size()), {}};
  };
  if (parts->front().statistic.terms)
    out.terms = [parts](std::span<const std::uint32_t> counts) {
      std::vector<double> terms;
      for (const Known& known : *parts)
        for (const double term : known.statistic.terms(known.among(counts)))
          terms.push_back(term / static_cast<double>(parts->size()));
      return terms;
    };
  return out;
}

}  // namespace shiftnorm::metrics
