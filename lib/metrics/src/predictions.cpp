#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::metrics {
namespace {

std::int32_t argmax(std::span<const double> row) {
  std::size_t best = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    if (std::isnan(row[k])) return -1;
    if (row[k] > row[best]) best = k;
  }
  return static_cast<std::int32_t>(best);
}

}  // namespace

void check(const Predictions& predictions) {
  if (predictions.classes < 1 || predictions.classes > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(fmt::format("predictions: {} classes; expected at least 1", predictions.classes));
  const auto classes = static_cast<std::size_t>(predictions.classes);
  // Division, not a product: neither number is trusted not to overflow.
  if (predictions.probabilities.size() % classes != 0 ||
      predictions.probabilities.size() / classes != predictions.images())
    throw ShapeError(fmt::format("predictions: {} probabilities; expected {} images x {} classes",
                                 predictions.probabilities.size(), predictions.images(), classes));
  for (std::size_t i = 0; i < predictions.images(); ++i)
    if (predictions.labels[i] < 0 || predictions.labels[i] >= predictions.classes)
      throw ShapeError(
          fmt::format("predictions: image {} has label {}; expected 0 to {}", i, predictions.labels[i], classes - 1));
}

void check_pair(const Predictions& a, const Predictions& b) {
  check(a);
  check(b);
  if (a.classes != b.classes || a.labels != b.labels)
    throw ShapeError(
        fmt::format("paired predictions: {} images of {} classes against {} of {}, or other labels; expected the same "
                    "images in the same order",
                    a.images(), a.classes, b.images(), b.classes));
}

std::vector<double> softmax(std::span<const float> logits, std::int64_t classes) {
  if (classes < 1 || logits.size() % static_cast<std::size_t>(classes) != 0)
    throw ShapeError(fmt::format("softmax: {} logits; expected a multiple of {} classes", logits.size(), classes));
  const auto width = static_cast<std::size_t>(classes);
  std::vector<double> probabilities(logits.begin(), logits.end());
  for (std::size_t start = 0; start < probabilities.size(); start += width) {
    const std::span<double> row(probabilities.data() + start, width);
    // max_element skips or keeps a NaN depending on its place; the sum below becomes NaN either way.
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (double& x : row) sum += x = std::exp(x - top);
    for (double& x : row) x /= sum;
  }
  return probabilities;
}

std::vector<std::int32_t> predicted(const Predictions& predictions) {
  check(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<std::int32_t> out(predictions.images());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = argmax({predictions.probabilities.data() + i * classes, classes});
  return out;
}

}  // namespace shiftnorm::metrics
