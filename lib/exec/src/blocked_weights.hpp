#pragma once

#include <cstdint>
#include <memory>

#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/core/array.hpp"

namespace shiftnorm::exec {

/// A convolution's constants by channel blocks of its result, the same for its every form. Zeros fill the last block.
struct BlockedWeights {
  AlignedVector<float> weights;  ///< [blocks, weights of one output, block]
  AlignedVector<float> bias;     ///< [blocks, block]
};

/// weights: [outputs, ...]; bias: [outputs] or null.
[[nodiscard]] std::shared_ptr<const BlockedWeights> block_weights(const Tensor& weights, const Tensor* bias,
                                                                  std::int64_t block);

}  // namespace shiftnorm::exec
