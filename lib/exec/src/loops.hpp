#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/core/shape.hpp"
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

/// The multi-indices of a block of extents, last axis fastest.
class Odometer {
 public:
  explicit Odometer(std::span<const std::int64_t> extents) : extents_(extents), index_(extents.size(), 0) {}
  /// Steps on; false, and all zeros again, after the last.
  bool next() {
    for (std::size_t axis = extents_.size(); axis-- > 0;) {
      if (++index_[axis] < extents_[axis]) return true;
      index_[axis] = 0;
    }
    return false;
  }
  [[nodiscard]] std::int64_t operator[](std::size_t axis) const { return index_[axis]; }
  [[nodiscard]] std::span<const std::int64_t> index() const { return index_; }

 private:
  std::span<const std::int64_t> extents_;
  std::vector<std::int64_t> index_;
};

[[nodiscard]] inline std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.rank(), 1);
  for (std::size_t i = shape.rank(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// Strides of `from` under the axes of `to`, 0 where it is repeated.
[[nodiscard]] inline std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to) {
  std::vector<std::int64_t> strides(to.rank(), 0);
  const std::vector<std::int64_t> own = strides_of(from);
  const std::size_t skipped = to.rank() - from.rank();
  for (std::size_t i = 0; i < from.rank(); ++i) strides[i + skipped] = from[i] == 1 ? 0 : own[i];
  return strides;
}

/// Offsets into one array while an odometer runs over another.
[[nodiscard]] inline std::int64_t dot(std::span<const std::int64_t> index, std::span<const std::int64_t> strides) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
  return at;
}

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
