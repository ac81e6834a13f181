#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "prepared.hpp"

namespace shiftnorm::metrics {
namespace {

/// Drawn images per cell [truth, predicted]; an image without a prediction stands in the column behind the last class.
struct Cells {
  std::size_t classes = 0;
  std::vector<double> count;
  double images = 0;

  [[nodiscard]] double at(std::size_t truth, std::size_t guess) const { return count[truth * (classes + 1) + guess]; }
  [[nodiscard]] double truths(std::size_t c) const {
    double sum = 0;
    for (std::size_t k = 0; k <= classes; ++k) sum += at(c, k);
    return sum;
  }
  [[nodiscard]] double guesses(std::size_t c) const {
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += at(k, c);
    return sum;
  }
};

/// A metric of the confusion matrix alone.
template <Score (*Of)(const Cells&)>
Resampled of_cells(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<std::size_t> cell(guess.size());
  for (std::size_t i = 0; i < cell.size(); ++i)
    cell[i] = static_cast<std::size_t>(predictions.labels[i]) * (classes + 1) +
              (guess[i] < 0 ? classes : static_cast<std::size_t>(guess[i]));
  return [cell = std::move(cell), classes](std::span<const std::uint32_t> counts) -> Score {
    Cells cells{classes, std::vector<double>(classes * (classes + 1)), total(counts)};
    for (std::size_t i = 0; i < cell.size(); ++i) cells.count[cell[i]] += counts[i];
    return cells.images == 0 ? Score{std::nullopt, kNoImages} : Of(cells);
  };
}

Score balanced_of(const Cells& cells) {
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < cells.classes; ++c) {
    const double images = cells.truths(c);
    if (images == 0) continue;
    sum += cells.at(c, c) / images;
    present += 1;
  }
  return {sum / present, {}};
}

Score macro_f1_of(const Cells& cells) {
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < cells.classes; ++c) {
    const double either = cells.truths(c) + cells.guesses(c);
    if (either == 0) continue;
    sum += 2 * cells.at(c, c) / either;
    present += 1;
  }
  return {sum / present, {}};
}

Score micro_f1_of(const Cells& cells) {
  double hits = 0, guesses = 0;
  for (std::size_t c = 0; c < cells.classes; ++c) {
    hits += cells.at(c, c);
    guesses += cells.guesses(c);
  }
  return {2 * hits / (cells.images + guesses), {}};
}

/// 1 - (disagreement observed / expected by chance), each cell weighted by `weight(truth, guess)`.
template <class Weight>
Score kappa_of(const Cells& cells, Weight weight) {
  double guessed = 0;
  std::vector<double> truths(cells.classes), guesses(cells.classes);
  for (std::size_t c = 0; c < cells.classes; ++c) {
    guessed += guesses[c] = cells.guesses(c);
    truths[c] = cells.truths(c);
  }
  if (guessed != cells.images) return {std::nullopt, "some images have outputs that are no numbers"};
  double observed = 0, expected = 0;
  for (std::size_t t = 0; t < cells.classes; ++t) {
    for (std::size_t g = 0; g < cells.classes; ++g) {
      observed += weight(t, g) * cells.at(t, g);
      expected += weight(t, g) * truths[t] * guesses[g] / cells.images;
    }
  }
  if (expected == 0) return {std::nullopt, "one class alone was seen and predicted"};
  return {1 - observed / expected, {}};
}

Score cohen_of(const Cells& cells) {
  return kappa_of(cells, [](std::size_t t, std::size_t g) { return t == g ? 0.0 : 1.0; });
}
Score quadratic_of(const Cells& cells) {
  return kappa_of(cells, [](std::size_t t, std::size_t g) {
    const double apart = static_cast<double>(t) - static_cast<double>(g);
    return apart * apart;
  });
}

}  // namespace

Resampled accuracy(const Predictions& predictions) { return mean_of(correct(predictions)); }
Resampled balanced_accuracy(const Predictions& predictions) { return of_cells<balanced_of>(predictions); }
Resampled macro_f1(const Predictions& predictions) { return of_cells<macro_f1_of>(predictions); }
Resampled micro_f1(const Predictions& predictions) { return of_cells<micro_f1_of>(predictions); }
Resampled cohen_kappa(const Predictions& predictions) { return of_cells<cohen_of>(predictions); }
Resampled quadratic_kappa(const Predictions& predictions) { return of_cells<quadratic_of>(predictions); }

template <int k>
Resampled top_k_accuracy(const Predictions& predictions) {
  check(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  if (classes <= k && predictions.images() > 0) return undefined("fewer classes than it takes to be among the first");
  std::vector<double> hit(predictions.images());
  for (std::size_t i = 0; i < hit.size(); ++i) {
    const std::span<const double> row(predictions.probabilities.data() + i * classes, classes);
    const auto label = static_cast<std::size_t>(predictions.labels[i]);
    int before = 0;
    bool numbers = true;
    for (std::size_t c = 0; c < classes; ++c) {
      numbers = numbers && !std::isnan(row[c]);
      // Of equal probabilities the first class stands before, as in predicted().
      if (row[c] > row[label] || (row[c] == row[label] && c < label)) ++before;
    }
    hit[i] = numbers && before < k ? 1 : 0;
  }
  return mean_of(std::move(hit));
}
template Resampled top_k_accuracy<3>(const Predictions&);
template Resampled top_k_accuracy<5>(const Predictions&);

}  // namespace shiftnorm::metrics
