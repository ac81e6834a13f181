#pragma once

#include <vector>

#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {

using Shapes = std::vector<Shape>;

[[nodiscard]] const Shape& input_shape(const Graph& graph, const Node& node, std::size_t index);

// One function for each rule of OpSpec::infer.
Shapes infer_same(const Graph& graph, const Node& node);  ///< every output as the first input
Shapes infer_broadcast(const Graph& graph, const Node& node);
Shapes infer_prelu(const Graph& graph, const Node& node);

Shapes infer_conv(const Graph& graph, const Node& node);
Shapes infer_conv_transpose(const Graph& graph, const Node& node);
Shapes infer_pool(const Graph& graph, const Node& node);
Shapes infer_global_pool(const Graph& graph, const Node& node);

Shapes infer_batch_norm(const Graph& graph, const Node& node);
Shapes infer_instance_norm(const Graph& graph, const Node& node);
Shapes infer_layer_norm(const Graph& graph, const Node& node);
Shapes infer_lrn(const Graph& graph, const Node& node);
Shapes infer_along_axis(const Graph& graph, const Node& node);
Shapes infer_mean_variance(const Graph& graph, const Node& node);
Shapes infer_reduce(const Graph& graph, const Node& node);
Shapes infer_arg(const Graph& graph, const Node& node);

Shapes infer_gemm(const Graph& graph, const Node& node);
Shapes infer_mat_mul(const Graph& graph, const Node& node);

Shapes infer_concat(const Graph& graph, const Node& node);
Shapes infer_depth_to_space(const Graph& graph, const Node& node);
Shapes infer_expand(const Graph& graph, const Node& node);
Shapes infer_flatten(const Graph& graph, const Node& node);
Shapes infer_gather(const Graph& graph, const Node& node);
Shapes infer_gather_elements(const Graph& graph, const Node& node);
Shapes infer_pad(const Graph& graph, const Node& node);
Shapes infer_reshape(const Graph& graph, const Node& node);
Shapes infer_resize(const Graph& graph, const Node& node);
Shapes infer_slice(const Graph& graph, const Node& node);
Shapes infer_space_to_depth(const Graph& graph, const Node& node);
Shapes infer_split(const Graph& graph, const Node& node);
Shapes infer_squeeze(const Graph& graph, const Node& node);
Shapes infer_tile(const Graph& graph, const Node& node);
Shapes infer_transpose(const Graph& graph, const Node& node);
Shapes infer_unsqueeze(const Graph& graph, const Node& node);

}  // namespace shiftnorm::graph
