#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wire.hpp"

namespace shiftnorm::formats {

/// Where a node of the graph is in the file.
struct NodeSource {
  int place = 0;           ///< in ModelPlaces::nodes: itself, or the call that it is part of
  bool inlined = false;    ///< it is in a function
  std::int64_t opset = 0;  ///< of the default domain, for this node
};

/// A file as the official message classes show it, and where its parts lie.
struct OnnxFile {
  onnx::ModelProto model;
  onnx_wire::ModelPlaces places;
  std::int64_t opset = 0;         ///< of the default domain
  std::vector<NodeSource> nodes;  ///< of each node of the graph, in which no call of a function is left
};

/// Errors  FormatError for a damaged file; UnsupportedError for an opset that has no table.
[[nodiscard]] OnnxFile parse_onnx(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
