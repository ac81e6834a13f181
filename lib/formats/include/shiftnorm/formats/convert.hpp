#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::formats {

/// A bound graph with inferred shapes as an ONNX model of opset graph::kOpset in float32. Values keep their names, and
/// BatchNormalization its epsilon and momentum. The first dimension is the symbolic "N" where the network takes any
/// number of images, height and width are "H" and "W" where it takes any size; elsewhere they are numbers.
/// Errors  UnsupportedError if the model is larger than protobuf's 2 GiB; FormatError for a parameter without values.
[[nodiscard]] std::vector<std::byte> write_onnx(const graph::Graph& graph, const std::string& version,
                                                const std::map<std::string, std::string>& metadata);

/// Every tensor of a checkpoint as safetensors, under its name and in its dtype and order, with the patches applied.
/// Errors  Error for a patch of a tensor that is not there; UnsupportedError for a value that does not fit its dtype.
[[nodiscard]] std::vector<std::byte> write_safetensors(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                                       const std::map<std::string, std::string>& metadata);

}  // namespace shiftnorm::formats
