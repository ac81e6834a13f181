#pragma once

#include <cstddef>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::formats {

/// Counts the steps of a walk over values that refer to each other: a file of a megabyte can ask for any number of
/// them. The heap's limits keep a file that holds nothing twice far below.
class Budget {
 public:
  explicit Budget(const char* refusal) : refusal_(refusal) {}

  /// Throws FormatError with the refusal once there are too many.
  void spend(std::size_t steps) {
    if (steps > left_) throw FormatError(refusal_);
    left_ -= steps;
  }

 private:
  const char* refusal_;
  std::size_t left_ = std::size_t{1} << 24U;
};

}  // namespace shiftnorm::formats
