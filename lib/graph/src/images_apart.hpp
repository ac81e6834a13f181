#pragma once

#include <span>

#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {

struct ImageFlow {
  const Graph& graph;
  const Node& node;
  std::span<const std::int64_t> axes;  ///< per input: the axis of images, or kNoImages
};

/// One function for each way in which operators treat the axis of images. At least one input depends on images.
std::int64_t images_broadcast(const ImageFlow& flow);  ///< element by element, inputs aligned at their last axes
std::int64_t images_first(const ImageFlow& flow);      ///< [N, C, ...] against constants
std::int64_t images_beside(const ImageFlow& flow);     ///< works along attribute `axis`, the others are kept
std::int64_t images_instance(const ImageFlow& flow);   ///< LayerNormalization: works along `axis` and all after it
std::int64_t images_mean_variance(const ImageFlow& flow);
std::int64_t images_reduce(const ImageFlow& flow);
std::int64_t images_arg(const ImageFlow& flow);
std::int64_t images_gather(const ImageFlow& flow);
std::int64_t images_gather_elements(const ImageFlow& flow);
std::int64_t images_slice(const ImageFlow& flow);
std::int64_t images_pad(const ImageFlow& flow);
std::int64_t images_kept(const ImageFlow& flow);  ///< extents may change, but not along images (Tile, Resize)
std::int64_t images_reshape(const ImageFlow& flow);
std::int64_t images_flatten(const ImageFlow& flow);
std::int64_t images_squeeze(const ImageFlow& flow);
std::int64_t images_unsqueeze(const ImageFlow& flow);
std::int64_t images_transpose(const ImageFlow& flow);
std::int64_t images_gemm(const ImageFlow& flow);
std::int64_t images_mat_mul(const ImageFlow& flow);

}  // namespace shiftnorm::graph
