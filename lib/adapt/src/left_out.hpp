#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "batching.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::adapt {

/// The row of an image that took no part.
void say_nothing(std::size_t image, Outputs& outputs);

/// Rows for `count` images of which only some were evaluated: row i of `found` is of image original(i).
template <class Original>
Outputs spread(const Outputs& found, std::size_t count, Original original) {
  const auto width = static_cast<std::size_t>(found.width);
  Outputs all{found.width, std::vector<float>(count * width, std::numeric_limits<float>::quiet_NaN())};
  for (std::size_t i = 0; i * width < found.values.size(); ++i)
    std::copy_n(found.values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                all.values.begin() + static_cast<std::ptrdiff_t>(original(i) * width));
  for (const Outputs& other : found.others) all.others.push_back(spread(other, count, original));
  return all;
}

/// The images of a set without those that gave activations that are not finite: one bad image must not end a run.
class Usable {
 public:
  explicit Usable(const Images& all) : all_(all), kept_(all.count) {
    std::iota(kept_.begin(), kept_.end(), std::size_t{0});
  }

  [[nodiscard]] Images images() const {
    return {kept_.size(), [this](std::size_t i, std::span<float> dst) { all_.load(kept_[i], dst); }};
  }
  [[nodiscard]] std::size_t original(std::size_t index) const { return kept_[index]; }

  /// Errors  FormatError when so many go that the network rather than an image must be the cause.
  void leave_out(const exec::NonFinite& bad, std::vector<LeftOut>& left_out);

 private:
  const Images& all_;
  std::vector<std::size_t> kept_;
};

/// The same for images in domains: each domain loses its own.
void leave_out(const exec::NonFinite& bad, std::span<const Domain> domains, Groups& kept,
               std::vector<ModeResult>& results);

}  // namespace shiftnorm::adapt
