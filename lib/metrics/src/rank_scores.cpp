#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.hpp"
#include "placements.hpp"
#include "prepared.hpp"

namespace shiftnorm::metrics {
namespace {

/// The images of one class against the rest, by falling score: what every threshold metric walks through.
struct Ranking {
  std::vector<std::size_t> order;
  std::vector<char> positive, last;  ///< in order; last: the next score is lower, so a threshold fits behind

  /// Calls f(positives, negatives) with the drawn images at or above each threshold, then gives their totals.
  template <class F>
  std::pair<double, double> walk(std::span<const std::uint32_t> counts, F f) const {
    double positives = 0, negatives = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      (positive[k] ? positives : negatives) += counts[order[k]];
      if (last[k]) f(positives, negatives);
    }
    return {positives, negatives};
  }
};

Ranking ranking_of(const Predictions& predictions, std::size_t c) {
  const auto classes = static_cast<std::size_t>(predictions.classes);
  const auto score = [&](std::size_t i) { return predictions.probabilities[i * classes + c]; };
  Ranking ranking;
  ranking.order.resize(predictions.images());
  std::iota(ranking.order.begin(), ranking.order.end(), std::size_t{0});
  std::ranges::stable_sort(ranking.order, [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
  for (std::size_t k = 0; k < ranking.order.size(); ++k) {
    const std::size_t i = ranking.order[k];
    ranking.positive.push_back(static_cast<std::size_t>(predictions.labels[i]) == c ? 1 : 0);
    ranking.last.push_back(k + 1 == ranking.order.size() || score(ranking.order[k + 1]) < score(i) ? 1 : 0);
  }
  return ranking;
}

/// Whether a score of one class against the rest depends on how many images each has.
enum class Mixture { counts, does_not_count };

/// The mean of a one-against-rest metric over the classes that have images, if there are two; of two, the second alone.
template <Mixture mixture, Score (*Of)(const Ranking&, std::span<const std::uint32_t>)>
Resampled over_classes(const Predictions& predictions) {
  check(predictions);
  if (predictions.classes < 2) return undefined("one class only");
  if (std::ranges::any_of(predictions.probabilities, [](double p) { return std::isnan(p); }))
    return undefined("some images have outputs that are not numbers");
  if (predictions.images() == 0) return undefined(kNoImages);
  std::vector<std::vector<std::uint32_t>> groups = images_of_classes(predictions);
  if (groups.size() < 2) return undefined("no class with images of it and images of others");
  std::vector<Ranking> rankings;
  for (const std::vector<std::uint32_t>& images : groups) {
    const std::int32_t c = predictions.labels[images.front()];
    if (predictions.classes > 2 || c == 1) rankings.push_back(ranking_of(predictions, static_cast<std::size_t>(c)));
  }
  Resampled out{[rankings = std::move(rankings)](std::span<const std::uint32_t> counts) -> Score {
    if (total(counts) == 0) return {std::nullopt, kNoImages};
    double sum = 0;
    for (const Ranking& ranking : rankings) {
      const Score score = Of(ranking, counts);
      if (!score.value) return {std::nullopt, kLost};
      sum += *score.value;
    }
    return {sum / static_cast<double>(rankings.size()), {}};
  }};
  if (predictions.classes == 2) {
    out.parts = {groups[0].size() < groups[1].size() ? 0U : 1U};
  } else {
    out.parts.resize(groups.size());
    std::iota(out.parts.begin(), out.parts.end(), std::size_t{0});
  }
  out.needed = std::move(groups);
  if (mixture == Mixture::does_not_count) out.strata.assign(predictions.labels.begin(), predictions.labels.end());
  return out;
}

Score auroc_of(const Ranking& ranking, std::span<const std::uint32_t> counts) {
  double area = 0, positives_before = 0, negatives_before = 0;
  const auto [positives, negatives] = ranking.walk(counts, [&](double p, double n) {
    area += (n - negatives_before) * (p + positives_before) / 2;
    positives_before = p;
    negatives_before = n;
  });
  if (positives == 0 || negatives == 0) return {};
  return {area / (positives * negatives), {}};
}

Score average_precision_of(const Ranking& ranking, std::span<const std::uint32_t> counts) {
  double sum = 0, positives_before = 0;
  const auto [positives, negatives] = ranking.walk(counts, [&](double p, double n) {
    if (p + n > 0) sum += (p - positives_before) * p / (p + n);
    positives_before = p;
  });
  if (positives == 0 || negatives == 0) return {};
  return {sum / positives, {}};
}

template <int percent>
Score sensitivity_of(const Ranking& ranking, std::span<const std::uint32_t> counts) {
  double all = 0;
  for (std::size_t k = 0; k < ranking.order.size(); ++k) all += ranking.positive[k] ? 0 : counts[ranking.order[k]];
  double best = 0;
  const auto [positives, negatives] = ranking.walk(counts, [&](double p, double n) {
    // In whole images: 100 n <= (100 - percent) all is exact where a quotient would round.
    if (100 * n <= (100 - percent) * all) best = p;
  });
  if (positives == 0 || negatives == 0) return {};
  return {best / positives, {}};
}

}  // namespace

Resampled auroc(const Predictions& predictions) {
  Resampled out = over_classes<Mixture::does_not_count, auroc_of>(predictions);
  if (predictions.classes == 2 && !out.needed.empty()) out.placements = placements_of(predictions);
  return out;
}
Resampled average_precision(const Predictions& predictions) {
  return over_classes<Mixture::counts, average_precision_of>(predictions);
}

template <int percent>
Resampled sensitivity_at_specificity(const Predictions& predictions) {
  return over_classes<Mixture::does_not_count, sensitivity_of<percent>>(predictions);
}
template Resampled sensitivity_at_specificity<90>(const Predictions&);
template Resampled sensitivity_at_specificity<95>(const Predictions&);

}  // namespace shiftnorm::metrics
