#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire.hpp"

namespace shiftnorm::formats {

/// A file as the official message classes show it, and where its parts lie.
struct OnnxFile {
  onnx::ModelProto model;
  onnx_wire::ModelPlaces places;
  std::int64_t opset = 0;  ///< of the default domain
};

/// Errors  FormatError for a damaged file; UnsupportedError for an opset that has no table.
[[nodiscard]] OnnxFile parse_onnx(std::span<const std::byte> file);

}  // namespace shiftnorm::formats
