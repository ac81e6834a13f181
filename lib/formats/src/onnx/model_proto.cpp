#include "model_proto.hpp"

#include <fmt/format.h>

#include <limits>

#include "functions.hpp"
#include "operator_forms.hpp"
#include "shiftnorm/core/error.hpp"
#include "vectors.hpp"

namespace shiftnorm::formats {

OnnxFile parse_onnx(std::span<const std::byte> file) {
  if (file.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw UnsupportedError("is an ONNX model of more than 2 GB; expected one that keeps its weights in external data");
  OnnxFile out;
  out.places = onnx_wire::walk_model(file);
  if (!out.model.ParseFromArray(file.data(), static_cast<int>(file.size())))
    throw FormatError("is not an ONNX model: its protobuf messages are damaged");
  for (const onnx::OperatorSetIdProto& set : out.model.opset_import())
    if (default_domain(set.domain())) out.opset = set.version();
  if (out.opset < kOldestOpset || out.opset > kNewestOpset)
    throw UnsupportedError(
        fmt::format("is an ONNX model of opset {}; expected {} to {}", out.opset, kOldestOpset, kNewestOpset));
  const onnx::GraphProto& graph = out.model.graph();
  if (static_cast<std::size_t>(graph.node_size()) != out.places.nodes.size() ||
      static_cast<std::size_t>(graph.initializer_size()) != out.places.initializers.size() ||
      static_cast<std::size_t>(out.model.functions_size()) != out.places.functions.size())
    throw FormatError("is not an ONNX model: its graph is damaged");
  inline_functions(file, out);
  return out;
}

}  // namespace shiftnorm::formats
