#pragma once

#include "shiftnorm/core/aligned.hpp"

namespace shiftnorm::exec {

/// A BatchNorm as it is executed: y = scale * x + shift per channel, both padded with zeros to the channel block.
struct Affine {
  AlignedVector<float> scale, shift;
};

}  // namespace shiftnorm::exec
