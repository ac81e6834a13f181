#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <vector>

#include "../readers.hpp"

namespace shiftnorm::formats {

/// The files that a model keeps values in, each read once.
class ExternalFiles {
 public:
  explicit ExternalFiles(const Neighbours& neighbours) : neighbours_(neighbours) {}
  [[nodiscard]] std::span<const std::byte> file(const std::string& location);
  [[nodiscard]] std::vector<OutputFile> take();  ///< all that were read

 private:
  const Neighbours& neighbours_;
  std::map<std::string, std::vector<std::byte>> files_;
};

/// ONNX's number of an element type. Errors: UnsupportedError naming it.
[[nodiscard]] DType dtype_of(std::int32_t onnx_type);
[[nodiscard]] std::int32_t onnx_type_of(DType dtype);

/// The values, wherever the message keeps them.
/// Errors  FormatError where lengths do not fit the dimensions; UnsupportedError for types that hold no numbers.
[[nodiscard]] Array read_tensor(const onnx::TensorProto& tensor, ExternalFiles& files);

}  // namespace shiftnorm::formats
