#include "prepared.hpp"

#include <fmt/format.h>

#include <cmath>

#include "check.hpp"

namespace shiftnorm::metrics {
namespace {

// Softmax outputs stored as float32 can exceed 1 by their rounding; a logit taken for a probability exceeds it by far.
constexpr double kAboveOne = 1e-6;

}  // namespace

bool Range::bounded() const noexcept { return std::isfinite(least) && std::isfinite(most); }

double total(std::span<const std::uint32_t> counts) {
  std::uint64_t sum = 0;
  for (const std::uint32_t c : counts) sum += c;
  return static_cast<double>(sum);
}

Resampled mean_of(std::vector<double> values, Range range) {
  return {[values = std::move(values)](std::span<const std::uint32_t> counts) -> Score {
            const double images = total(counts);
            if (images == 0) return {std::nullopt, kNoImages};
            double sum = 0;
            for (std::size_t i = 0; i < values.size(); ++i) sum += counts[i] * values[i];
            return {sum / images, {}};
          },
          range};
}

Resampled share_of(std::vector<std::uint8_t> hits) {
  Resampled out = mean_of({hits.begin(), hits.end()}, {});
  out.hits = std::move(hits);
  return out;
}

Resampled undefined(std::string reason) {
  return {[reason = std::move(reason)](std::span<const std::uint32_t>) -> Score { return {std::nullopt, reason}; }};
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
  return fmt::format("{} of {} images have outputs that are not probabilities (NaN, or outside 0 to 1)", images,
                     predictions.images());
}

std::vector<std::vector<std::uint32_t>> images_of_classes(const Predictions& predictions) {
  std::vector<std::vector<std::uint32_t>> all(static_cast<std::size_t>(predictions.classes));
  for (std::size_t i = 0; i < predictions.images(); ++i)
    all[static_cast<std::size_t>(predictions.labels[i])].push_back(static_cast<std::uint32_t>(i));
  std::erase_if(all, [](const auto& images) { return images.empty(); });
  return all;
}

std::vector<std::uint8_t> correct(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  std::vector<std::uint8_t> right(guess.size());
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = guess[i] == predictions.labels[i] ? 1 : 0;
  return right;
}

}  // namespace shiftnorm::metrics
