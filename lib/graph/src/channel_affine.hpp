#pragma once

#include <optional>
#include <vector>

#include "rebuild.hpp"

namespace shiftnorm::graph {

/// y -> scale * y + shift, one pair per channel.
struct ChannelAffine {
  std::vector<double> scale, shift;
};

/// Operators whose weight and bias can take a channel affine behind them: Conv, ConvTranspose, Gemm, MatMul.
[[nodiscard]] bool takes_affine(const Graph& graph, const Node& node);

/// Weight and bias of such a node with the affine behind it taken in.
struct AbsorbedWeights {
  std::vector<double> weight, bias;  ///< in the layout of the weight; one bias per channel
};
/// Errors  FormatError naming the node if a parameter is not bound or the channels do not fit.
[[nodiscard]] AbsorbedWeights absorb(const Graph& graph, const Node& node, const ChannelAffine& affine);

}  // namespace shiftnorm::graph
