#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// Attribute of Softmax, LogSoftmax and Hardmax as they were before opset 13: all axes from `axis` on count as one.
/// resolve() makes them those of opset 13.
inline constexpr std::string_view kAxesTogether = "shiftnorm.axes_together";
/// Attribute of a first Transpose that makes the file's own input, channels last, of the graph's.
inline constexpr std::string_view kOwnInput = "shiftnorm.own_input";
/// Attribute of a BatchNormalization node that its runtime runs in training mode: by the statistics of each batch, of
/// as many images as the file fixes; 0: as many as are given.
inline constexpr std::string_view kByBatch = "shiftnorm.by_batch";

/// What kByBatch says of a layer; absent: it is normalised by its running statistics.
[[nodiscard]] std::optional<std::int64_t> by_batch(const Graph& graph, const BatchNorm& layer);

}  // namespace shiftnorm::graph
