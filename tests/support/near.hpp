#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace shiftnorm::test {

/// Every value within its own tolerance of the one that is expected. A mismatch is described by the worst of them:
/// index, value, expected, tolerance, and how many others are off.
class EachNear : public Catch::MatcherBase<std::vector<double>> {
 public:
  using Tolerance = std::function<double(std::size_t index)>;

  EachNear(std::vector<double> expected, Tolerance tolerance)
      : expected_(std::move(expected)), tolerance_(std::move(tolerance)) {}
  EachNear(std::vector<double> expected, double tolerance)
      : EachNear(std::move(expected), [tolerance](std::size_t) { return tolerance; }) {}

  bool match(const std::vector<double>& found) const override {
    std::ostringstream told;
    told.precision(9);
    std::size_t off = 0, worst = 0;
    double worst_share = 0;
    for (std::size_t i = 0; i < std::min(found.size(), expected_.size()); ++i) {
      if (found[i] == expected_[i] || (std::isnan(found[i]) && std::isnan(expected_[i]))) continue;  // infinities too
      const double apart = std::abs(found[i] - expected_[i]), most = tolerance_(i);
      if (apart <= most) continue;
      ++off;  // NaN too
      const double share = std::isnan(apart) ? HUGE_VAL : apart / most;
      if (off > 1 && !(share > worst_share)) continue;
      worst = i;
      worst_share = share;
    }
    if (found.size() != expected_.size())
      told << "has " << found.size() << " values; expected " << expected_.size();
    else if (off > 0)
      told << off << " of " << found.size() << " are off, most of all [" << worst << "]: " << found[worst]
           << "; expected " << expected_[worst] << " within " << tolerance_(worst);
    told_ = told.str();
    return told_.empty();
  }
  std::string describe() const override { return told_.empty() ? "is near what is expected" : told_; }

 private:
  std::vector<double> expected_;
  Tolerance tolerance_;
  mutable std::string told_;  ///< of the last match
};

template <class Values>
std::vector<double> as_doubles(const Values& values) {
  return {values.begin(), values.end()};
}

/// Every value within `share` of the largest finite magnitude that is expected, or of `least` if that is larger.
template <class Values>
EachNear near_largest(const Values& expected, double share, double least = 0) {
  double largest = least;
  for (const double v : as_doubles(expected))
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  return {as_doubles(expected), share * largest};
}

}  // namespace shiftnorm::test
