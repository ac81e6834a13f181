#pragma once

#include <cstdint>

#include "kernel.hpp"

namespace shiftnorm::exec {

/// A kernel that can give its result some pixels at a time, so that what reads them follows while they are near.
class GivesPixels {
 public:
  virtual ~GivesPixels() = default;
  /// Pixels [first, first + count) of the result. dst: where the first block's first one goes; the next block's lies
  /// `plane` pixels further. arguments.dst is not used.
  virtual void give_pixels(const KernelArguments& arguments, std::int64_t first, std::int64_t count, float* dst,
                           std::int64_t plane) const = 0;
};

}  // namespace shiftnorm::exec
