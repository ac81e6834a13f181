#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "../readers.hpp"
#include "fields.hpp"
#include "import.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/constants.hpp"
#include "vectors.hpp"

namespace shiftnorm::formats {
namespace {

using onnx_wire::Extent;

/// Where the values of a tensor lie in the file, if they can be changed there.
std::optional<Origin> origin_of(std::span<const std::byte> file, Extent tensor, const Array& values) {
  const std::optional<Extent> place = onnx_wire::dense_values(file, tensor);
  if (!place || !is_floating(values.dtype()) || place->size != values.bytes().size()) return std::nullopt;
  Origin origin{place->offset, values.dtype(), {}};
  for (std::size_t axis = 0; axis < values.shape().rank(); ++axis)
    origin.strides.push_back(values.shape().elements_from(axis + 1));
  return origin;
}

/// The message of a Constant's tensor: field `t` of its attribute `value`.
std::optional<Extent> constant_tensor(std::span<const std::byte> file, Extent node) {
  for (const onnx_wire::Field& attribute : onnx_wire::fields_of(file, node)) {
    if (attribute.number != fields::kNodeAttribute || attribute.wire_type != onnx_wire::kBytes) continue;
    for (const onnx_wire::Field& field : onnx_wire::fields_of(file, attribute.payload))
      if (field.number == fields::kAttributeTensor && field.wire_type == onnx_wire::kBytes) return field.payload;
  }
  return std::nullopt;
}

/// Errors  UnsupportedError where images are not counted along the first axis of a tensor.
DynamicShapeGraph dynamic_shape_graph(Imported imported) {
  if (imported.input.size() < 2)
    throw UnsupportedError(fmt::format("input '{}' is of rank {}; expected images and channels at least",
                                       printable(imported.graph.value(imported.graph.input()).name),
                                       imported.input.size()));
  DynamicShapeGraph network{std::move(imported.graph), std::move(imported.input), 1, {}};
  network.batch = std::max<std::int64_t>(std::exchange(network.input[0], 1), 1);
  if (imported.channels_last) network.layout = "NHWC";
  return network;
}

}  // namespace

Description describe_onnx(std::span<const std::byte> file, const Neighbours& neighbours) {
  const OnnxFile parsed = parse_onnx(file);
  ExternalFiles files(neighbours);
  Description description{dynamic_shape_graph(import_onnx(parsed, files, Weights::unbound))};
  for (const onnx::TensorProto& tensor : parsed.model.graph().initializer())
    description.values.push_back({tensor.name(), read_tensor(tensor, files), std::nullopt});
  return description;
}

Contents read_onnx(std::span<const std::byte> file, const Neighbours& neighbours) {
  const OnnxFile parsed = parse_onnx(file);
  const onnx::GraphProto& proto = parsed.model.graph();
  ExternalFiles files(neighbours);
  Imported imported = import_onnx(parsed, files, Weights::bound);

  Contents contents;
  std::set<std::string> named;
  for (int i = 0; i < proto.initializer_size(); ++i) {
    NamedTensor tensor{proto.initializer(i).name(), read_tensor(proto.initializer(i), files), std::nullopt};
    tensor.origin = origin_of(file, parsed.places.initializers[static_cast<std::size_t>(i)].payload, tensor.values);
    named.insert(tensor.name);
    contents.tensors.push_back(std::move(tensor));
  }
  for (const BatchNormVector& vector : batch_norm_vectors(proto)) {
    if (!named.insert(vector.name).second) continue;
    NamedTensor tensor{vector.name, {}, std::nullopt};
    std::optional<Extent> place;
    if (vector.initializer >= 0) {
      tensor.values = read_tensor(proto.initializer(vector.initializer), files);
      place = parsed.places.initializers[static_cast<std::size_t>(vector.initializer)].payload;
    } else if (vector.constant >= 0) {
      tensor.values = read_tensor(proto.node(vector.constant).attribute(0).t(), files);
      // One inside a function is there for every call.
      const NodeSource& source = parsed.nodes[static_cast<std::size_t>(vector.constant)];
      if (!source.inlined)
        place = constant_tensor(file, parsed.places.nodes[static_cast<std::size_t>(source.place)].payload);
    } else {
      for (const graph::ValueId id : imported.graph.parameters()) {
        const graph::Value& value = imported.graph.value(id);
        if (value.name == vector.name && value.tensor)
          tensor.values = Array::from_floats(*value.shape, value.tensor->values);
      }
    }
    if (vector.sole && place) tensor.origin = origin_of(file, *place, tensor.values);
    contents.tensors.push_back(std::move(tensor));
  }
  contents.companions = files.take();
  contents.in_training = std::move(imported.in_training);
  DynamicShapeGraph network = dynamic_shape_graph(std::move(imported));
  contents.graph = resolve(network);
  contents.layout = network.layout;
  contents.open_input = network.input;
  if (std::find(network.input.begin(), network.input.end(), 0) != network.input.end())
    contents.dynamic_shape = std::move(network);
  return contents;
}

}  // namespace shiftnorm::formats
