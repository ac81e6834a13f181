#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "confidence_bins.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::metrics {
namespace {

constexpr int kBins = 15;
// Softmax outputs stored as float32 can exceed 1 by their rounding; a logit taken for a probability exceeds it by far.
constexpr double kAboveOne = 1e-6;
constexpr const char* kNoImages = "no labelled images";

double total(std::span<const std::uint32_t> counts) {
  std::uint64_t sum = 0;
  for (const std::uint32_t c : counts) sum += c;
  return static_cast<double>(sum);
}

/// The mean of one number per image.
Resampled mean_of(std::vector<double> values) {
  return [values = std::move(values)](std::span<const std::uint32_t> counts) -> Score {
    const double images = total(counts);
    if (images == 0) return {std::nullopt, kNoImages};
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += counts[i] * values[i];
    return {sum / images, {}};
  };
}

Resampled undefined(std::string reason) {
  return [reason = std::move(reason)](std::span<const std::uint32_t>) -> Score { return {std::nullopt, reason}; };
}

/// Why the probabilities cannot be scored as probabilities; empty when they can.
std::string not_probabilities(const Predictions& predictions) {
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::size_t images = 0, last = SIZE_MAX;
  for (std::size_t k = 0; k < predictions.probabilities.size(); ++k) {
    const double p = predictions.probabilities[k];
    if ((p >= 0 && p <= 1 + kAboveOne) || k / classes == last) continue;
    last = k / classes;
    ++images;
  }
  if (images == 0) return {};
  return fmt::format("{} of {} images have outputs that are no probabilities (NaN, or outside 0 to 1)", images,
                     predictions.images());
}

std::vector<double> correct(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  std::vector<double> right(guess.size());
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = guess[i] == predictions.labels[i] ? 1 : 0;
  return right;
}

Resampled accuracy(const Predictions& predictions) { return mean_of(correct(predictions)); }

Resampled balanced_accuracy(const Predictions& predictions) {
  return [right = correct(predictions), labels = predictions.labels,
          classes = static_cast<std::size_t>(predictions.classes)](std::span<const std::uint32_t> counts) -> Score {
    std::vector<double> images(classes), hits(classes);
    for (std::size_t i = 0; i < right.size(); ++i) {
      const auto label = static_cast<std::size_t>(labels[i]);
      images[label] += counts[i];
      hits[label] += counts[i] * right[i];
    }
    double sum = 0, present = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      if (images[c] == 0) continue;
      sum += hits[c] / images[c];
      present += 1;
    }
    if (present == 0) return {std::nullopt, kNoImages};
    return {sum / present, {}};
  };
}

Resampled nll(const Predictions& predictions) {
  check(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<double> values(predictions.images());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = predictions.probabilities[i * classes + static_cast<std::size_t>(predictions.labels[i])];
    values[i] = -std::log(std::max(p, std::numeric_limits<double>::min()));
  }
  return mean_of(std::move(values));
}

Resampled ece(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<int> bin(guess.size());
  std::vector<double> gap(guess.size());
  for (std::size_t i = 0; i < guess.size(); ++i) {
    const double confidence = predictions.probabilities[i * classes + static_cast<std::size_t>(guess[i])];
    bin[i] = confidence_bin(confidence, kBins);
    gap[i] = (guess[i] == predictions.labels[i] ? 1 : 0) - confidence;
  }
  return [bin = std::move(bin), gap = std::move(gap)](std::span<const std::uint32_t> counts) -> Score {
    const double images = total(counts);
    if (images == 0) return {std::nullopt, kNoImages};
    // share * |mean accuracy - mean confidence| of a bin is |sum of gaps| / images.
    std::array<double, kBins> sums{};
    for (std::size_t i = 0; i < bin.size(); ++i) sums[static_cast<std::size_t>(bin[i])] += counts[i] * gap[i];
    double error = 0;
    for (const double sum : sums) error += std::abs(sum);
    return {error / images, {}};
  };
}

Resampled brier(const Predictions& predictions) {
  check(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<double> values(predictions.images());
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t k = 0; k < classes; ++k) {
      const double truth = static_cast<std::size_t>(predictions.labels[i]) == k ? 1 : 0;
      const double miss = predictions.probabilities[i * classes + k] - truth;
      values[i] += miss * miss;
    }
  }
  return mean_of(std::move(values));
}

template <Resampled (*Prepare)(const Predictions&)>
Score on_rows(const Predictions& predictions, std::span<const std::size_t> rows) {
  std::vector<std::uint32_t> counts(predictions.images());
  for (const std::size_t row : rows) {
    if (row >= counts.size())
      throw ShapeError(fmt::format("metric: row {}; expected less than {} images", row, counts.size()));
    ++counts[row];
  }
  return Prepare(predictions)(counts);
}

template <Resampled (*Prepare)(const Predictions&)>
constexpr MetricSpec spec(std::string_view name, bool higher_is_better, std::string_view definition) {
  return {name, higher_is_better, definition, on_rows<Prepare>, Prepare};
}

constexpr std::array kMetrics{
    spec<accuracy>("accuracy", true, "share of images whose most probable class is the label"),
    spec<balanced_accuracy>("balanced_accuracy", true, "mean of the recalls of the classes that occur"),
    spec<nll>("nll", false, "mean of -ln p(label); p below 2.2e-308 counts as 2.2e-308"),
    spec<ece>("ece", false,
              "expected calibration error: 15 equal-width bins of confidence, (m/15, (m+1)/15], the mean of |accuracy "
              "- confidence| weighted by count (Guo et al. 2017)"),
    spec<brier>("brier", false, "mean over images of the sum over classes of (p - truth)^2, from 0 to 2 (Brier 1950)"),
};

}  // namespace

std::span<const MetricSpec> metric_table() { return kMetrics; }

const MetricSpec& metric(std::string_view name) {
  std::vector<std::string> names;
  for (const MetricSpec& entry : kMetrics) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("metric '{}' is unknown; expected one of {}{}", printable(name), join(names),
                                near.empty() ? "" : fmt::format("; nearest: {}", near)));
}

Score score(const MetricSpec& metric, const Predictions& predictions) {
  return metric.prepare(predictions)(std::vector<std::uint32_t>(predictions.images(), 1));
}

}  // namespace shiftnorm::metrics
