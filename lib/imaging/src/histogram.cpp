#include "shiftnorm/imaging/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace shiftnorm::imaging {
namespace {

// Beyond this a bin's number would not be exact, let alone fit an integer.
constexpr double kMostBins = 0x1p52;

std::int64_t half_down(std::int64_t number) { return number >= 0 ? number / 2 : -((1 - number) / 2); }

}  // namespace

double Histogram::width() const { return std::ldexp(1.0, exponent_); }
double Histogram::low() const { return static_cast<double>(first_) * width(); }

std::int64_t Histogram::place(double value) const {
  return static_cast<std::int64_t>(std::floor(std::ldexp(value, -exponent_)));
}

void Histogram::coarsen() {
  ++exponent_;
  if (counts_.empty()) return;
  const std::int64_t first = half_down(first_);
  const std::int64_t last = half_down(first_ + static_cast<std::int64_t>(counts_.size()) - 1);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(last - first + 1));
  for (std::size_t i = 0; i < counts_.size(); ++i)
    counts[static_cast<std::size_t>(half_down(first_ + static_cast<std::int64_t>(i)) - first)] += counts_[i];
  first_ = first;
  counts_ = std::move(counts);
}

void Histogram::cover(std::int64_t first, std::int64_t last) {
  if (counts_.empty()) {
    first_ = first;
    counts_.assign(static_cast<std::size_t>(last - first + 1), 0);
    return;
  }
  if (first < first_) {
    counts_.insert(counts_.begin(), static_cast<std::size_t>(first_ - first), 0);
    first_ = first;
  }
  const std::int64_t size = std::max(last - first_ + 1, static_cast<std::int64_t>(counts_.size()));
  counts_.resize(static_cast<std::size_t>(size));
}

void Histogram::add(double value, std::int64_t count) {
  if (count <= 0) return;
  if (!std::isfinite(value)) {
    not_finite_ += count;
    return;
  }
  while (std::abs(std::ldexp(value, -exponent_)) > kMostBins) coarsen();
  const double low = values_ == 0 ? value : std::min(min_, value), high = values_ == 0 ? value : std::max(max_, value);
  while (place(high) - place(low) >= static_cast<std::int64_t>(kBins)) coarsen();
  cover(place(low), place(high));
  counts_[static_cast<std::size_t>(place(value) - first_)] += count;
  min_ = low;
  max_ = high;
  values_ += count;
}

void Histogram::merge(const Histogram& other) {
  not_finite_ += other.not_finite_;
  if (other.values_ == 0) return;
  Histogram theirs = other;
  const double low = values_ == 0 ? theirs.min_ : std::min(min_, theirs.min_);
  const double high = values_ == 0 ? theirs.max_ : std::max(max_, theirs.max_);
  while (exponent_ < theirs.exponent_) coarsen();
  while (place(high) - place(low) >= static_cast<std::int64_t>(kBins)) coarsen();
  while (theirs.exponent_ < exponent_) theirs.coarsen();
  cover(place(low), place(high));
  for (std::size_t i = 0; i < theirs.counts_.size(); ++i)
    counts_[static_cast<std::size_t>(theirs.first_ - first_) + i] += theirs.counts_[i];
  min_ = low;
  max_ = high;
  values_ += theirs.values_;
}

Histogram Histogram::coarser(std::size_t bins) const {
  Histogram out = *this;
  while (out.counts_.size() > bins) out.coarsen();
  return out;
}

}  // namespace shiftnorm::imaging
