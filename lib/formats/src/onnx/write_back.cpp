#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "../readers.hpp"
#include "fields.hpp"
#include "import.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "vectors.hpp"
#include "wire_writer.hpp"

namespace shiftnorm::formats {
namespace {

using onnx_wire::append, onnx_wire::append_as_is, onnx_wire::append_field;
using onnx_wire::Bytes, onnx_wire::Extent, onnx_wire::Field;

/// From the fourth version of the format on an initialiser need not be listed as an input.
constexpr std::int64_t kFreeInitializers = 4;

/// The message of a new initialiser.
std::string initializer(const std::string& name, std::int32_t type, std::span<const double> values) {
  const DType dtype = dtype_of(type);
  std::string raw(values.size() * size_of(dtype), '\0');
  encode_floats(values, dtype, {reinterpret_cast<std::byte*>(raw.data()), raw.size()});
  onnx::TensorProto tensor;
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_data_type(type);
  tensor.set_name(name);
  tensor.set_raw_data(std::move(raw));
  return tensor.SerializeAsString();
}

std::string input_of(const std::string& name, std::int32_t type, std::size_t length) {
  onnx::ValueInfoProto input;
  input.set_name(name);
  input.mutable_type()->mutable_tensor_type()->set_elem_type(type);
  input.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(
      static_cast<std::int64_t>(length));
  return input.SerializeAsString();
}

/// The node's message with some of its inputs renamed.
Bytes renamed(std::span<const std::byte> file, Extent node, const std::map<int, std::string>& inputs) {
  Bytes out;
  int slot = 0;
  for (const Field& field : onnx_wire::fields_of(file, node)) {
    if (field.number == fields::kNodeInput && field.wire_type == onnx_wire::kBytes) {
      const auto at = inputs.find(slot++);
      if (at != inputs.end()) {
        append_field(out, fields::kNodeInput, as_bytes(at->second));
        continue;
      }
    }
    append_as_is(out, file, field);
  }
  return out;
}

/// A vector that gets a place of its own.
struct Moved {
  BatchNormVector vector;
  const Patch* patch = nullptr;
  int input = 0;  ///< of the node at its place in the file
};

/// The input of a node of the file, by its place there, that the vector comes in by: of the BatchNormalization itself,
/// or of the call of the function that it is in. Errors  UnsupportedError if the function has the vector from
/// elsewhere, or for something else too.
int input_in_file(std::span<const std::byte> file, const OnnxFile& parsed, const BatchNormVector& vector) {
  const onnx::GraphProto& graph = parsed.model.graph();
  const NodeSource& source = parsed.nodes.at(static_cast<std::size_t>(vector.node));
  if (!source.inlined) return vector.slot;
  const std::string& name = graph.node(vector.node).input(vector.slot);
  int uses = 0, given = 0, slot = 0, found = 0;
  for (int i = 0; i < graph.node_size(); ++i)
    if (parsed.nodes[static_cast<std::size_t>(i)].place == source.place)
      uses += static_cast<int>(std::count(graph.node(i).input().begin(), graph.node(i).input().end(), name));
  const Field& call = parsed.places.nodes.at(static_cast<std::size_t>(source.place));
  for (const Field& field : onnx_wire::fields_of(file, call.payload)) {
    if (field.number != fields::kNodeInput || field.wire_type != onnx_wire::kBytes) continue;
    if (as_text(file.subspan(field.payload.offset, field.payload.size)) == name) {
      found = slot;
      ++given;
    }
    ++slot;
  }
  if (uses != 1 || given != 1)
    throw UnsupportedError(
        fmt::format("'{}' is inside a function of the model, or is used there more than once, so it cannot be changed "
                    "for one layer alone; expected a vector that the graph passes to the function",
                    printable(name)));
  return found;
}

/// The file with every moved vector as a new initialiser at the end of its graph, and the nodes reading those.
Bytes rewired(std::span<const std::byte> file, const OnnxFile& parsed, std::span<const Moved> moved) {
  TakenNames taken;
  for (const std::string& name : value_names(parsed.model.graph())) taken.insert(name);
  std::map<int, std::map<int, std::string>> inputs;
  Bytes added;
  for (const Moved& one : moved) {
    const std::string name = taken.fresh(one.vector.name);
    inputs[parsed.nodes.at(static_cast<std::size_t>(one.vector.node)).place][one.input] = name;
    try {
      append_field(added, fields::kGraphInitializer, as_bytes(initializer(name, one.vector.type, one.patch->values)));
    } catch (const Error&) {
      rethrow_at(fmt::format("tensor '{}'", printable(one.vector.name)));
    }
    if (parsed.model.ir_version() < kFreeInitializers)
      append_field(added, fields::kGraphInput, as_bytes(input_of(name, one.vector.type, one.patch->values.size())));
  }
  Bytes graph;
  int node = 0;
  for (const Field& field : onnx_wire::fields_of(file, parsed.places.graph.payload)) {
    if (field.number == fields::kGraphNode && field.wire_type == onnx_wire::kBytes) {
      const auto at = inputs.find(node++);
      if (at != inputs.end()) {
        append_field(graph, fields::kGraphNode, renamed(file, field.payload, at->second));
        continue;
      }
    }
    append_as_is(graph, file, field);
  }
  append(graph, added);
  Bytes out;
  append(out, file.first(parsed.places.graph.start));
  append_field(out, fields::kModelGraph, graph);
  append(out, file.subspan(parsed.places.graph.payload.end()));
  return out;
}

}  // namespace

std::vector<OutputFile> write_back_onnx(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                        const std::string& file_name) {
  const OnnxFile parsed = parse_onnx(checkpoint.bytes);
  std::map<std::string, BatchNormVector> vectors;
  for (BatchNormVector& vector : batch_norm_vectors(parsed.model.graph())) vectors.emplace(vector.name, vector);
  std::vector<Patch> in_place;
  std::vector<Moved> moved;
  for (const Patch& patch : patches) {
    const NamedTensor* tensor = checkpoint.find(patch.name);
    const auto vector = vectors.find(patch.name);
    if (tensor == nullptr || vector == vectors.end() || (vector->second.sole && tensor->origin)) {
      in_place.push_back(patch);
      continue;
    }
    if (static_cast<std::int64_t>(patch.values.size()) != tensor->values.shape().elements())
      throw ShapeError(fmt::format("{}: tensor '{}': given {} values; expected {}", printable(checkpoint.file_name),
                                   printable(patch.name), patch.values.size(), tensor->values.shape().elements()));
    moved.push_back({vector->second, &patch, input_in_file(checkpoint.bytes, parsed, vector->second)});
  }
  // What stays in place is changed first: its offsets are those of the file as it was.
  Bytes bytes = patched(checkpoint, in_place);
  try {
    if (!moved.empty()) bytes = rewired(bytes, parsed, moved);
  } catch (const Error&) {
    rethrow_at(printable(checkpoint.file_name));
  }
  std::vector<OutputFile> files{{file_name, std::move(bytes)}};
  files.insert(files.end(), checkpoint.companions.begin(), checkpoint.companions.end());
  return files;
}

}  // namespace shiftnorm::formats
