#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "index.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::exec {

/// What one worker measured of a part (MeasuredPart). Images are flushed several at a time, which costs less per
/// image.
class PartMoments {
 public:
  explicit PartMoments(std::vector<float> pivot) : moments_(std::move(pivot)), spread_(moments_.channels()) {}

  [[nodiscard]] const std::vector<float>& pivot() const noexcept { return moments_.pivot(); }

  /// sum, square: one per channel, over `values` values of one image.
  void add(std::span<const double> sum, std::span<const double> square, std::int64_t values);

  /// As if everything that `other` was given had been added here.
  void merge(PartMoments& other);

  /// Everything added so far, complete only after flush().
  [[nodiscard]] const stats::ChannelMoments& moments() const noexcept { return moments_; }
  [[nodiscard]] const stats::Spread& spread() const noexcept { return spread_; }
  void flush();
  /// Moves everything out, as that of a set that has no other channels.
  [[nodiscard]] LevelMoments take(SetIndex set) { return {set.number(), std::move(moments_), std::move(spread_)}; }

 private:
  stats::ChannelMoments moments_;
  stats::Spread spread_;
  std::vector<double> sums_, squares_;  ///< one row per image
  std::size_t images_ = 0;
  std::int64_t values_ = 0;
};

/// By part.
using Moments = std::map<PartIndex, PartMoments>;

/// Of a set whose channels are those of `parts`, one after the other; all of them flushed.
[[nodiscard]] LevelMoments side_by_side(SetIndex set, std::span<const PartIndex> parts, const Moments& of);

}  // namespace shiftnorm::exec
