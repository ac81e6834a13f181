#include "blocked_weights.hpp"

#include <algorithm>

#include "layout.hpp"

namespace shiftnorm::exec {

std::shared_ptr<const BlockedWeights> block_weights(const Tensor& weights, const Tensor* bias, std::int64_t block) {
  const Layout to{weights.shape[0], weights.shape.elements_from(1), block};
  auto out = std::make_shared<BlockedWeights>();
  out->weights.assign(static_cast<std::size_t>(to.floats()), 0.0f);
  out->bias.assign(static_cast<std::size_t>(to.padded_channels()), 0.0f);
  for (std::int64_t o = 0; o < to.channels; ++o)
    for (std::int64_t i = 0; i < to.pixels; ++i)
      out->weights[static_cast<std::size_t>(to.at(o, i))] = weights.values[static_cast<std::size_t>(o * to.pixels + i)];
  if (bias != nullptr) std::ranges::copy(bias->values, out->bias.begin());
  return out;
}

}  // namespace shiftnorm::exec
