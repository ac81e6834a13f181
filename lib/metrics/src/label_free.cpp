#include "shiftnorm/metrics/label_free.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "check.hpp"
#include "linear_algebra.hpp"
#include "shiftnorm/core/error.hpp"
#include "transport.hpp"

namespace shiftnorm::metrics {
namespace {

constexpr const char* kUnusable = "no image has finite outputs";

}  // namespace

Rows::Rows(std::span<const double> values, std::int64_t classes)
    : values_(values), classes_(static_cast<std::size_t>(std::max<std::int64_t>(classes, 1))) {
  if (classes < 1 || values.size() % classes_ != 0)
    throw ShapeError(
        fmt::format("rows: {} values; expected whole rows of {} classes, at least 1", values.size(), classes));
}

bool Rows::finite(std::size_t i) const {
  const std::span<const double> one = row(i);
  return std::all_of(one.begin(), one.end(), [](double x) { return std::isfinite(x); });
}

std::size_t Rows::guess(std::size_t i) const {
  const std::span<const double> one = row(i);
  return static_cast<std::size_t>(std::max_element(one.begin(), one.end()) - one.begin());
}

std::size_t Rows::usable() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < images(); ++i) count += finite(i) ? 1 : 0;
  return count;
}

std::vector<double> negative_entropies(const Rows& rows) {
  std::vector<double> out;
  for (std::size_t i = 0; i < rows.images(); ++i) {
    if (!rows.finite(i)) continue;
    double sum = 0;
    for (const double p : rows.row(i)) sum += p > 0 ? p * std::log(p) : 0;
    out.push_back(sum);
  }
  return out;
}

std::optional<double> agreement(const Rows& a, const Rows& b) {
  if (a.images() != b.images() || a.classes() != b.classes())
    throw ShapeError(fmt::format("agreement: {} images of {} classes against {} of {}; expected the same images",
                                 a.images(), a.classes(), b.images(), b.classes()));
  std::size_t same = 0, both = 0;
  for (std::size_t i = 0; i < a.images(); ++i) {
    if (!a.finite(i) || !b.finite(i)) continue;
    ++both;
    same += a.guess(i) == b.guess(i) ? 1 : 0;
  }
  if (both == 0) return std::nullopt;
  return static_cast<double>(same) / static_cast<double>(both);
}

std::vector<double> predicted_shares(const Rows& rows) {
  std::vector<double> shares(rows.classes(), 0.0);
  const auto usable = static_cast<double>(rows.usable());
  for (std::size_t i = 0; i < rows.images(); ++i)
    if (rows.finite(i)) shares[rows.guess(i)] += 1 / usable;
  return shares;
}

double effective_classes(std::span<const double> shares) {
  double entropy = 0;
  for (const double share : shares) entropy -= share > 0 ? share * std::log(share) : 0;
  return std::exp(entropy);
}

double total_variation(std::span<const double> p, std::span<const double> q) {
  if (p.size() != q.size())
    throw ShapeError(fmt::format("total variation: {} shares against {}; expected as many", p.size(), q.size()));
  double sum = 0;
  for (std::size_t k = 0; k < p.size(); ++k) sum += std::abs(p[k] - q[k]);
  return sum / 2;
}

Score nuclear_norm(const Rows& rows) {
  const std::size_t images = rows.usable();
  if (images == 0) return {std::nullopt, kUnusable};
  const auto largest = static_cast<double>(std::min(images, rows.classes()) * images);
  return {sum_of_singular_values(rows) / std::sqrt(largest), {}};
}

Score dispersion(const Rows& rows, std::span<const std::size_t> guesses, std::size_t classes) {
  if (guesses.size() != rows.images() ||
      std::any_of(guesses.begin(), guesses.end(), [&](std::size_t k) { return k >= classes; }))
    throw ShapeError(fmt::format("dispersion: {} predicted classes; expected one below {} for each of {} rows",
                                 guesses.size(), classes, rows.images()));
  const std::size_t width = rows.classes(), usable = rows.usable();
  if (classes < 2) return {std::nullopt, "there is only one class"};
  if (usable == 0) return {std::nullopt, kUnusable};
  std::vector<double> all(width, 0.0), sums(classes * width, 0.0), counts(classes, 0.0);
  for (std::size_t i = 0; i < rows.images(); ++i) {
    if (!rows.finite(i)) continue;
    const std::span<const double> row = rows.row(i);
    counts[guesses[i]] += 1;
    for (std::size_t k = 0; k < width; ++k) {
      all[k] += row[k] / static_cast<double>(usable);
      sums[guesses[i] * width + k] += row[k];
    }
  }
  double spread = 0;
  for (std::size_t c = 0; c < classes; ++c)
    for (std::size_t k = 0; k < width && counts[c] > 0; ++k)
      spread += counts[c] * std::pow(sums[c * width + k] / counts[c] - all[k], 2);
  if (spread <= 0) return {std::nullopt, "all images are predicted as one class, or alike"};
  return {std::log(spread / static_cast<double>(classes - 1)), {}};
}

Score atc_accuracy(std::span<const double> source_scores, const std::vector<bool>& right,
                   std::span<const double> target_scores) {
  if (source_scores.size() != right.size())
    throw ShapeError(
        fmt::format("ATC: {} source scores, {} answers; expected as many", source_scores.size(), right.size()));
  if (target_scores.empty()) return {std::nullopt, kUnusable};
  if (source_scores.empty()) return {std::nullopt, "no source image has finite outputs"};
  const auto hits = static_cast<std::size_t>(std::count(right.begin(), right.end(), true));
  if (hits == 0) return {0.0, {}};
  std::vector<double> falling(source_scores.begin(), source_scores.end());
  std::sort(falling.begin(), falling.end(), std::greater<>());
  const double threshold = falling[hits - 1];
  const auto above =
      std::count_if(target_scores.begin(), target_scores.end(), [&](double score) { return score >= threshold; });
  return {static_cast<double>(above) / static_cast<double>(target_scores.size()), {}};
}

Score cot_accuracy(const Rows& rows, std::span<const double> source_shares) {
  const double total = std::accumulate(source_shares.begin(), source_shares.end(), 0.0);
  if (source_shares.size() != rows.classes() || !(std::abs(total - 1) < 1e-6) ||
      std::any_of(source_shares.begin(), source_shares.end(), [](double share) { return share < 0; }))
    throw ShapeError(fmt::format("COT: {} shares that sum to {}; expected {} that sum to 1", source_shares.size(),
                                 total, rows.classes()));
  const std::size_t images = rows.usable();
  if (images == 0) return {std::nullopt, kUnusable};
  std::vector<double> costs;
  costs.reserve(images * rows.classes());
  for (std::size_t i = 0; i < rows.images(); ++i)
    if (rows.finite(i))
      for (const double p : rows.row(i)) costs.push_back(1 - p);
  const auto cost = least_transport_cost(costs, whole_counts(source_shares, images));
  if (!cost)
    return {std::nullopt, fmt::format("{} images of {} classes would take too long to assign", images, rows.classes())};
  return {1 - *cost / static_cast<double>(images), {}};
}

Shares bbse_shares(const Predictions& source, const Rows& target) {
  check(source);
  const auto n = static_cast<std::size_t>(source.classes);
  if (n != target.classes())
    throw ShapeError(fmt::format("BBSE: {} source classes, {} target classes; expected as many", n, target.classes()));
  if (target.usable() == 0) return {std::nullopt, kUnusable};
  const Rows rows(source.probabilities, source.classes);
  std::vector<double> seen(n, 0.0), confusion(n * n, 0.0);
  for (std::size_t i = 0; i < rows.images(); ++i) {
    if (!rows.finite(i)) continue;
    const auto truth = static_cast<std::size_t>(source.labels[i]);
    seen[truth] += 1;
    confusion[rows.guess(i) * n + truth] += 1;
  }
  const auto unseen = std::count(seen.begin(), seen.end(), 0.0);
  if (unseen > 0) return {std::nullopt, fmt::format("{} of {} classes have no source image", unseen, n)};
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) confusion[j * n + k] /= seen[k];
  auto shares = solved(confusion, predicted_shares(target));
  if (!shares) return {std::nullopt, "classes of the source are predicted too much alike to be separated"};
  for (double& share : *shares) share = std::max(share, 0.0);
  const double total = std::accumulate(shares->begin(), shares->end(), 0.0);
  for (double& share : *shares) share /= total;  // columns of C sum to 1, and so do the shares before the cut
  return {std::move(shares), {}};
}

}  // namespace shiftnorm::metrics
