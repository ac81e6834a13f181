#include "left_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::adapt {
namespace {

/// Errors  FormatError when so many go that the network rather than an image must be the cause.
void require_few(const std::vector<LeftOut>& left_out, std::size_t all) {
  constexpr std::size_t kMost = 100;  // each costs a new start
  const std::size_t most = std::min<std::size_t>(kMost, std::max<std::size_t>(1, all / 20));
  if (left_out.size() < all && left_out.size() <= most) return;
  throw FormatError(
      fmt::format("{}, at image {} and {} others of {}; expected finite numbers (the network or the "
                  "preprocessing may be wrong rather than the images)",
                  left_out.back().reason, left_out.back().image, left_out.size() - 1, all));
}

}  // namespace

void say_nothing(std::size_t image, Outputs& outputs) {
  std::fill_n(outputs.values.begin() + static_cast<std::ptrdiff_t>(image) * outputs.width, outputs.width,
              std::numeric_limits<float>::quiet_NaN());
  for (Outputs& other : outputs.others) say_nothing(image, other);
}

void UsableImages::leave_out(const exec::NonFinite& bad) {
  for (std::size_t d = 0; d < kept_.size(); ++d) {
    if (std::erase(kept_[d], bad.image) == 0) continue;
    complete_ = false;
    results_[d].left_out.push_back({bad.image, bad.reason});
    require_few(results_[d].left_out, all_[d].size());
  }
}

}  // namespace shiftnorm::adapt
