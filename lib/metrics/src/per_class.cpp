#include "check.hpp"

namespace shiftnorm::metrics {
namespace {

Score ratio(std::int64_t part, std::int64_t whole, const char* reason) {
  if (whole == 0) return {std::nullopt, reason};
  return {static_cast<double>(part) / static_cast<double>(whole), {}};
}

}  // namespace

std::vector<std::int64_t> confusion_matrix(const Predictions& predictions) {
  const std::vector<std::int32_t> guess = predicted(predictions);
  const auto classes = static_cast<std::size_t>(predictions.classes);
  std::vector<std::int64_t> cells(classes * classes);
  for (std::size_t i = 0; i < guess.size(); ++i)
    if (guess[i] >= 0)
      ++cells[static_cast<std::size_t>(predictions.labels[i]) * classes + static_cast<std::size_t>(guess[i])];
  return cells;
}

std::vector<ClassScores> per_class(const Predictions& predictions) {
  struct Counts {
    std::int64_t support = 0, guessed = 0, right = 0;
  };
  const std::vector<std::int32_t> guess = predicted(predictions);
  std::vector<Counts> counts(static_cast<std::size_t>(predictions.classes));
  for (std::size_t i = 0; i < guess.size(); ++i) {
    Counts& truth = counts[static_cast<std::size_t>(predictions.labels[i])];
    ++truth.support;
    if (guess[i] == predictions.labels[i]) ++truth.right;
    if (guess[i] >= 0) ++counts[static_cast<std::size_t>(guess[i])].guessed;
  }
  std::vector<ClassScores> scores;
  scores.reserve(counts.size());
  for (const Counts& c : counts)
    scores.push_back({c.support, ratio(c.right, c.guessed, "never predicted"),
                      ratio(c.right, c.support, "no image of this class"),
                      ratio(2 * c.right, c.guessed + c.support, "no image of this class and never predicted")});
  return scores;
}

}  // namespace shiftnorm::metrics
