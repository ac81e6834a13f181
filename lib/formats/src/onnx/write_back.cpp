#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "../readers.hpp"
#include "import.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "vectors.hpp"

namespace shiftnorm::formats {
namespace {

using Bytes = std::vector<std::byte>;
using onnx_wire::Extent, onnx_wire::Field;

void append(Bytes& out, std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<std::byte>(value | 0x80U));
  out.push_back(static_cast<std::byte>(value));
}

/// A field that holds bytes.
void append_field(Bytes& out, std::uint32_t number, std::span<const std::byte> payload) {
  append_varint(out, std::uint64_t{number} << 3U | onnx_wire::kBytes);
  append_varint(out, payload.size());
  append(out, payload);
}

constexpr std::uint32_t kGraph = 7, kNode = 1, kInitializer = 5, kInput = 11, kNodeInput = 1;
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
    if (field.number == kNodeInput && field.wire_type == onnx_wire::kBytes) {
      const auto at = inputs.find(slot++);
      if (at != inputs.end()) {
        append_field(out, kNodeInput, as_bytes(at->second));
        continue;
      }
    }
    append(out, file.subspan(field.start, field.payload.end() - field.start));
  }
  return out;
}

/// A vector that gets a place of its own.
struct Moved {
  BatchNormVector vector;
  const Patch* patch = nullptr;
};

/// The file with every moved vector as a new initialiser at the end of its graph, and the nodes reading those.
Bytes rewired(std::span<const std::byte> file, const OnnxFile& parsed, std::span<const Moved> moved) {
  std::set<std::string> taken;
  for (const std::string& name : value_names(parsed.model.graph())) taken.insert(name);
  std::map<int, std::map<int, std::string>> inputs;
  Bytes added;
  for (const Moved& one : moved) {
    const std::string name = fresh_name(one.vector.name, taken);
    taken.insert(name);
    inputs[one.vector.node][one.vector.slot] = name;
    try {
      append_field(added, kInitializer, as_bytes(initializer(name, one.vector.type, one.patch->values)));
    } catch (const Error&) {
      rethrow_at(fmt::format("tensor '{}'", printable(one.vector.name)));
    }
    if (parsed.model.ir_version() < kFreeInitializers)
      append_field(added, kInput, as_bytes(input_of(name, one.vector.type, one.patch->values.size())));
  }
  Bytes graph;
  int node = 0;
  for (const Field& field : onnx_wire::fields_of(file, parsed.places.graph.payload)) {
    if (field.number == kNode && field.wire_type == onnx_wire::kBytes) {
      const auto at = inputs.find(node++);
      if (at != inputs.end()) {
        append_field(graph, kNode, renamed(file, field.payload, at->second));
        continue;
      }
    }
    append(graph, file.subspan(field.start, field.payload.end() - field.start));
  }
  append(graph, added);
  Bytes out;
  append(out, file.first(parsed.places.graph.start));
  append_field(out, kGraph, graph);
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
    moved.push_back({vector->second, &patch});
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
