#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// What the framework that trained a BatchNorm stores as running variance, from the population variance v of a batch
/// with N values per channel. Every exponential average continues in the same way
/// (docs/reference/estimators.md#stored-variance).
enum class StoredVariance {
  sample,      ///< v N / (N - 1): PyTorch, TensorFlow's fused kernel
  population,  ///< v: Keras 3, ONNX
  keras_once,  ///< v N / (N - 1 - epsilon): Keras 2.1.4 to 2.3 for several backends
  keras_twice  ///< the two corrections one after the other: the same with the fused kernel
};
/// Attributes whose names begin so are marks of ours, not ONNX's: they stay inside.
inline constexpr std::string_view kOwnAttribute = "shiftnorm.";
/// Attribute of a BatchNormalization node, by name; absent: sample.
inline constexpr std::string_view kStoredVariance = "shiftnorm.stored_variance";
[[nodiscard]] std::string_view name_of(StoredVariance stored);

/// One BatchNorm parameter set: the unit that is measured, blended and written back. It may be applied by several
/// nodes.
struct BatchNorm {
  std::string name;                ///< common prefix of its parameters, e.g. "layer1.0.bn1"
  std::vector<std::size_t> nodes;  ///< indices of its BatchNormalization nodes
  std::int64_t channels = 0;
  double epsilon = 1e-5;
  double momentum = 0.1;                                                ///< PyTorch's p (ONNX stores 1 - p)
  ValueId scale = kNone, bias = kNone, mean = kNone, variance = kNone;  ///< parameters of the graph
  StoredVariance stored_variance = StoredVariance::sample;
  bool affine = true;   ///< false: gamma and beta are constants 1 and 0 that no file holds
  bool folded = false;  ///< put in by unfold(): no file holds its vectors, and gamma and beta are those of the source
  std::int64_t level = 0;  ///< 1 for a set with no measured BatchNorm upstream
  bool ordered = true;     ///< false: a use depends on another use of itself, no exact order exists

  /// gamma / sqrt(variance_now + epsilon), per channel; a folded layer's is kept at 10 or below: its gamma comes from a
  /// small sample, and a channel that is nearly constant on the target would be blown up.
  [[nodiscard]] double gain(double gamma, double variance_now) const;
};

/// What v is multiplied by; `values` per channel and batch, at least 2 unless the population variance is stored.
[[nodiscard]] double stored_factor(const BatchNorm& layer, std::int64_t values);

/// The BatchNorms of a graph in topological order of their first use, with levels when all of them are measured.
[[nodiscard]] std::vector<BatchNorm> batch_norms(const Graph& graph);
/// One entry per application instead, in graph order, with levels: a set applied twice gives two of the same name.
[[nodiscard]] std::vector<BatchNorm> uses_of(const Graph& graph, const std::vector<BatchNorm>& sets);
/// Levels when only those with measured[i] take part: sets `level` (0 for the others) and `ordered`.
void assign_levels(const Graph& graph, std::vector<BatchNorm>& sets, const std::vector<bool>& measured);

}  // namespace shiftnorm::graph
