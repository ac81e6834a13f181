#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "confidence_bins.hpp"
#include "prepared.hpp"

namespace shiftnorm::metrics {
namespace {

constexpr int kBins = 15;

/// What calibration compares: the confidence of each image's prediction, and what it lacked to be right.
struct Confidences {
  std::vector<double> confidence, gap;
};

Confidences confidences_of(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  Confidences out{std::vector<double>(guess.size()), std::vector<double>(guess.size())};
  for (std::size_t i = 0; i < guess.size(); ++i) {
    out.confidence[i] = predictions.probabilities[i * classes + static_cast<std::size_t>(guess[i])];
    out.gap[i] = (guess[i] == predictions.labels[i] ? 1 : 0) - out.confidence[i];
  }
  return out;
}

/// A calibration error, from the sums of the gaps in each bin.
template <class Sums>
Resampled sum_of_magnitudes(Sums sums_of) {
  auto terms = [sums_of = std::move(sums_of)](std::span<const std::uint32_t> counts) {
    std::vector<double> sums = sums_of(counts);
    const double images = total(counts);
    for (double& sum : sums) sum /= images;
    return sums;
  };
  Resampled out{[terms](std::span<const std::uint32_t> counts) -> Score {
    if (total(counts) == 0) return {std::nullopt, kNoImages};
    double error = 0;
    for (const double term : terms(counts)) error += std::abs(term);
    return {error, {}};
  }};
  out.terms = std::move(terms);
  return out;
}

}  // namespace

Resampled nll(const Predictions& predictions) {
  check(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<double> values(predictions.images());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = predictions.probabilities[i * classes + static_cast<std::size_t>(predictions.labels[i])];
    values[i] = -std::log(std::max(p, std::numeric_limits<double>::min()));
  }
  return mean_of(std::move(values), {0, std::numeric_limits<double>::infinity()});
}

Resampled ece(const Predictions& predictions) {
  check(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  Confidences all = confidences_of(predictions);
  std::vector<std::size_t> bin(all.gap.size());
  for (std::size_t i = 0; i < bin.size(); ++i)
    bin[i] = static_cast<std::size_t>(confidence_bin(all.confidence[i], kBins));
  // share * |mean accuracy - mean confidence| of a bin is |sum of gaps| / images.
  return sum_of_magnitudes([bin = std::move(bin), gap = std::move(all.gap)](std::span<const std::uint32_t> counts) {
    std::vector<double> sums(kBins);
    for (std::size_t i = 0; i < bin.size(); ++i) sums[bin[i]] += counts[i] * gap[i];
    return sums;
  });
}

Resampled adaptive_ece(const Predictions& predictions) {
  check(predictions);
  if (std::string reason = not_probabilities(predictions); !reason.empty()) return undefined(std::move(reason));
  Confidences all = confidences_of(predictions);
  std::vector<std::size_t> order(all.gap.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return all.confidence[a] < all.confidence[b]; });
  return sum_of_magnitudes([order = std::move(order), gap = std::move(all.gap)](std::span<const std::uint32_t> counts) {
    const auto images = static_cast<std::uint64_t>(total(counts));
    // Bins of equal counts, the first (images mod bins) one longer: numpy.array_split of the sorted images.
    std::vector<double> sums(kBins);
    std::size_t bin = 0;
    const auto size = [&] { return images / kBins + (bin < images % kBins ? 1 : 0); };
    std::uint64_t room = size();
    for (const std::size_t i : order) {
      std::uint64_t left = counts[i];
      while (left > 0) {
        while (room == 0) {
          ++bin;
          room = size();
        }
        const std::uint64_t taken = std::min(left, room);
        sums[bin] += static_cast<double>(taken) * gap[i];
        left -= taken;
        room -= taken;
      }
    }
    return sums;
  });
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
  return mean_of(std::move(values), {0, 2});
}

}  // namespace shiftnorm::metrics
