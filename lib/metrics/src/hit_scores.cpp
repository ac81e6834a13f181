#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.hpp"
#include "prepared.hpp"

namespace shiftnorm::metrics {
namespace {

/// Drawn images per cell [truth, predicted]; an image without a prediction is in the column after the last class.
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

/// Which classes the data as a whole have: what a mean over classes is over, whatever is drawn.
struct Occurring {
  std::vector<std::uint8_t> labelled, counted;  ///< counted: labelled or predicted
};

/// A metric of the confusion matrix alone.
template <Score (*Of)(const Cells&, const Occurring&)>
Resampled of_cells(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<std::size_t> cell(guess.size());
  for (std::size_t i = 0; i < cell.size(); ++i)
    cell[i] = static_cast<std::size_t>(predictions.labels[i]) * (classes + 1) +
              (guess[i] < 0 ? classes : static_cast<std::size_t>(guess[i]));
  Occurring occurring{std::vector<std::uint8_t>(classes), std::vector<std::uint8_t>(classes)};
  for (std::size_t i = 0; i < cell.size(); ++i) {
    const auto truth = static_cast<std::size_t>(predictions.labels[i]);
    occurring.labelled[truth] = occurring.counted[truth] = 1;
    if (guess[i] >= 0) occurring.counted[static_cast<std::size_t>(guess[i])] = 1;
  }
  Resampled out{[cell = std::move(cell), occurring = std::move(occurring),
                 classes](std::span<const std::uint32_t> counts) -> Score {
    Cells cells{classes, std::vector<double>(classes * (classes + 1)), total(counts)};
    for (std::size_t i = 0; i < cell.size(); ++i) cells.count[cell[i]] += counts[i];
    return cells.images == 0 ? Score{std::nullopt, kNoImages} : Of(cells, occurring);
  }};
  out.needed = images_of_classes(predictions);
  return out;
}

/// The same for a mean over classes.
template <Score (*Of)(const Cells&, const Occurring&)>
Resampled over_cells(const Predictions& predictions) {
  Resampled out = of_cells<Of>(predictions);
  out.parts.resize(out.needed.size());
  std::iota(out.parts.begin(), out.parts.end(), std::size_t{0});
  return out;
}

Score balanced_of(const Cells& cells, const Occurring& occurring) {
  double sum = 0, classes = 0;
  for (std::size_t c = 0; c < cells.classes; ++c) {
    if (occurring.labelled[c] == 0) continue;
    const double images = cells.truths(c);
    if (images == 0) return {std::nullopt, kLost};
    sum += cells.at(c, c) / images;
    classes += 1;
  }
  return {sum / classes, {}};
}

Score macro_f1_of(const Cells& cells, const Occurring& occurring) {
  double sum = 0, classes = 0;
  for (std::size_t c = 0; c < cells.classes; ++c) {
    if (occurring.counted[c] == 0) continue;
    classes += 1;
    const double truths = cells.truths(c);
    if (truths == 0 && occurring.labelled[c] != 0) return {std::nullopt, kLost};
    // A class that was only ever predicted scores 0, predicted again or not.
    if (truths > 0) sum += 2 * cells.at(c, c) / (truths + cells.guesses(c));
  }
  return {sum / classes, {}};
}

Score micro_f1_of(const Cells& cells, const Occurring& /*occurring*/) {
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
  if (guessed != cells.images) return {std::nullopt, "some images have outputs that are not numbers"};
  double observed = 0, expected = 0;
  for (std::size_t t = 0; t < cells.classes; ++t) {
    for (std::size_t g = 0; g < cells.classes; ++g) {
      observed += weight(t, g) * cells.at(t, g);
      expected += weight(t, g) * truths[t] * guesses[g] / cells.images;
    }
  }
  if (expected == 0) return {std::nullopt, "only one class was seen and predicted"};
  return {1 - observed / expected, {}};
}

Score cohen_of(const Cells& cells, const Occurring& /*occurring*/) {
  return kappa_of(cells, [](std::size_t t, std::size_t g) { return t == g ? 0.0 : 1.0; });
}
Score quadratic_of(const Cells& cells, const Occurring& /*occurring*/) {
  return kappa_of(cells, [](std::size_t t, std::size_t g) {
    const double apart = static_cast<double>(t) - static_cast<double>(g);
    return apart * apart;
  });
}

template <Score (*Of)(const Cells&, const Occurring&)>
Resampled kappa(const Predictions& predictions) {
  Resampled out = of_cells<Of>(predictions);
  out.range = {-1, 1};
  return out;
}

}  // namespace

Resampled accuracy(const Predictions& predictions) { return share_of(correct(predictions)); }
Resampled balanced_accuracy(const Predictions& predictions) { return over_cells<balanced_of>(predictions); }
Resampled macro_f1(const Predictions& predictions) { return over_cells<macro_f1_of>(predictions); }
Resampled micro_f1(const Predictions& predictions) { return of_cells<micro_f1_of>(predictions); }
Resampled cohen_kappa(const Predictions& predictions) { return kappa<cohen_of>(predictions); }
Resampled quadratic_kappa(const Predictions& predictions) { return kappa<quadratic_of>(predictions); }

template <int k>
Resampled top_k_accuracy(const Predictions& predictions) {
  check(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  if (classes <= k && predictions.images() > 0) return undefined("fewer classes than it takes to be among the first");
  std::vector<std::uint8_t> hit(predictions.images());
  for (std::size_t i = 0; i < hit.size(); ++i) {
    const std::span<const double> row(predictions.probabilities.data() + i * classes, classes);
    const auto label = static_cast<std::size_t>(predictions.labels[i]);
    int before = 0;
    bool numbers = true;
    for (std::size_t c = 0; c < classes; ++c) {
      numbers = numbers && !std::isnan(row[c]);
      // Of equal probabilities the first class comes first, as in predicted().
      if (row[c] > row[label] || (row[c] == row[label] && c < label)) ++before;
    }
    hit[i] = numbers && before < k ? 1 : 0;
  }
  return share_of(std::move(hit));
}
template Resampled top_k_accuracy<3>(const Predictions&);
template Resampled top_k_accuracy<5>(const Predictions&);

}  // namespace shiftnorm::metrics
