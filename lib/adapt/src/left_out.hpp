#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "batching.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/exec/sweep.hpp"

namespace shiftnorm::adapt {

/// The images of each domain without those that gave activations that are not finite: one bad image must not end a run,
/// and costs its own domain alone.
class UsableImages {
 public:
  /// Of `all`; those left out are listed in the results of their domains.
  UsableImages(const Groups& all, std::vector<ModeResult>& results) : all_(all), kept_(all), results_(results) {}

  [[nodiscard]] const Groups& domains() const noexcept { return kept_; }
  [[nodiscard]] bool complete() const noexcept { return complete_; }

  /// Calls work(domains()) until no image of them is bad, start_again() before every further time.
  /// Errors  FormatError when so many go that the network rather than an image must be the cause.
  template <class Work, class StartAgain>
  void run(Work work, StartAgain start_again) {
    for (;;) {
      try {
        work(std::as_const(kept_));
        return;
      } catch (const exec::NonFinite& bad) {
        leave_out(bad);
      }
      start_again();
    }
  }

 private:
  void leave_out(const exec::NonFinite& bad);

  const Groups& all_;
  Groups kept_;
  std::vector<ModeResult>& results_;
  bool complete_ = true;
};

/// The row of an image that took no part: not a number.
void say_nothing(std::size_t image, Outputs& outputs);

}  // namespace shiftnorm::adapt
