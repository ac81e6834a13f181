#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/core/shape.hpp"
#include "shiftnorm/core/strides.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::exec {

/// What a plain loop gets: the node, its inputs and where its outputs go.
struct ReferenceCall {
  const graph::Graph& graph;
  const graph::Node& node;
  std::span<const TensorView> in;  ///< data null where absent
  std::span<const OutputView> out;

  [[nodiscard]] bool has(std::size_t index) const { return index < in.size() && in[index].data != nullptr; }
};

[[nodiscard]] inline std::vector<std::int64_t> spatial_of(const Shape& shape) {
  return {shape.extents().begin() + 2, shape.extents().end()};
}

// One function for each row of reference_operators().
void run_copy(const ReferenceCall& call);
void run_unary(const ReferenceCall& call);
void run_binary(const ReferenceCall& call);
void run_clip(const ReferenceCall& call);
void run_dropout(const ReferenceCall& call);
void run_gelu(const ReferenceCall& call);
void run_is_inf(const ReferenceCall& call);
void run_cast(const ReferenceCall& call);
void run_where(const ReferenceCall& call);

void run_conv(const ReferenceCall& call);
void run_conv_transpose(const ReferenceCall& call);
void run_gemm(const ReferenceCall& call);
void run_mat_mul(const ReferenceCall& call);

void run_pool(const ReferenceCall& call);
void run_global_pool(const ReferenceCall& call);

void run_batch_norm(const ReferenceCall& call);
void run_instance_norm(const ReferenceCall& call);
void run_layer_norm(const ReferenceCall& call);
void run_lrn(const ReferenceCall& call);
void run_mean_variance(const ReferenceCall& call);
void run_along_axis(const ReferenceCall& call);
void run_reduce(const ReferenceCall& call);
void run_arg(const ReferenceCall& call);

void run_move(const ReferenceCall& call);
void run_concat(const ReferenceCall& call);
void run_gather(const ReferenceCall& call);
void run_gather_elements(const ReferenceCall& call);
void run_resize(const ReferenceCall& call);

}  // namespace shiftnorm::exec
