#pragma once

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// The same function with every BatchNormalization that follows a Conv, ConvTranspose, Gemm or MatMul, and is the only
/// reader of its output, taken into that node's weight and bias (in double, rounded once). Others, as pre-activation
/// networks have them, stay what they are. Weights keep their names; a bias that appears is named after its weight.
/// Shapes are to be inferred anew.
/// Errors  FormatError if a parameter that is needed is not bound.
[[nodiscard]] Graph fold_batch_norms(const Graph& graph);

}  // namespace shiftnorm::graph
