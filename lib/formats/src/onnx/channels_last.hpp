#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace shiftnorm::formats {

/// Whether an input of four axes is declared as NHWC, as TensorFlow's converters leave it. The graph's first layers
/// tell: a Transpose to NCHW, with nothing but arithmetic of single values in front. Where those are of no layout
/// (Reshape, Flatten), only a last axis of 1, 3 or 4 channels does.
[[nodiscard]] bool takes_channels_last(const onnx::GraphProto& graph, const std::string& input,
                                       const std::vector<std::int64_t>& extents);

}  // namespace shiftnorm::formats
