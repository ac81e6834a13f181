#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// Which BatchNormalizations are folded: every one that can be, or those that unfold() put in.
enum class Folding { every, unfolded };

/// The same function with every BatchNormalization that follows a Conv, ConvTranspose, Gemm or MatMul, and is the only
/// reader of its output, taken into that node's weight and bias (in double, rounded once). Others, as pre-activation
/// networks have them, stay what they are. Weights keep their names; a bias that appears is named after its weight.
/// Shapes are to be inferred anew.
/// Errors  FormatError if a parameter that is needed is not bound.
[[nodiscard]] Graph fold_batch_norms(const Graph& graph, Folding which = Folding::every);

/// A convolution that seems to have a BatchNorm folded into it (docs/reference/estimators.md#folded-networks).
struct FoldedLayer {
  std::string name;        ///< of the node
  ValueId output = kNone;  ///< of the convolution
  std::int64_t channels = 0;
  std::vector<double> mean, variance;  ///< of the output over source images; empty: not known
};

/// Every Conv with a bias of its own but those on 1x1 maps (squeeze-excite), those that feed an output through no other
/// layer with weights, and those with a BatchNormalization behind them. Shapes must have been inferred.
[[nodiscard]] std::vector<FoldedLayer> folded_layers(const Graph& graph);

/// Puts a BatchNormalization named as the layer behind each of these convolutions. It does nothing as long as it holds
/// the layer's own mean and variance (0 and 1 where they are not known): gamma = sqrt(variance + delta), beta = mean,
/// epsilon = delta, which is 1e-5 of the median variance. Values keep their ids.
/// Statistics of the target in it then give y' = m_src + (y - m_t) sqrt(v_src + delta) / sqrt(v_t + delta), which is
/// what AdaBN would have computed; BatchNorm::gain keeps the factor at 10 or below.
void unfold(Graph& graph, std::span<const FoldedLayer> layers);

/// New weight and bias of the convolution before a BatchNorm that unfold() put in, with it taken in.
struct Refolded {
  ValueId weight = kNone, bias = kNone;
  std::vector<double> weight_values, bias_values;
};
/// mean, variance: what the BatchNorm is to normalise by.
[[nodiscard]] Refolded refold(const Graph& graph, const BatchNorm& layer, std::span<const double> mean,
                              std::span<const double> variance);

}  // namespace shiftnorm::graph
