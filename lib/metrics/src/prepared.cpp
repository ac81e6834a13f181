#include "prepared.hpp"

#include <fmt/format.h>

#include "check.hpp"

namespace shiftnorm::metrics {
namespace {

// Softmax outputs stored as float32 can exceed 1 by their rounding; a logit taken for a probability exceeds it by far.
constexpr double kAboveOne = 1e-6;

}  // namespace

double total(std::span<const std::uint32_t> counts) {
  std::uint64_t sum = 0;
  for (const std::uint32_t c : counts) sum += c;
  return static_cast<double>(sum);
}

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

}  // namespace shiftnorm::metrics
