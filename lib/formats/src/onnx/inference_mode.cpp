#include <map>
#include <set>
#include <string>

#include "../readers.hpp"
#include "fields.hpp"
#include "model_proto.hpp"
#include "shiftnorm/core/error.hpp"
#include "vectors.hpp"
#include "wire_writer.hpp"

namespace shiftnorm::formats {
namespace {

using onnx_wire::Bytes, onnx_wire::Extent, onnx_wire::Field;

template <class Message>
Message parsed(std::span<const std::byte> file, Extent at) {
  Message message;
  if (!message.ParseFromArray(file.data() + at.offset, static_cast<int>(at.size)))
    throw FormatError("is not an ONNX model: its protobuf messages are damaged");
  return message;
}

/// Values that are known to be false; whatever else a Dropout is given may be true.
using Names = std::set<std::string>;

bool is_false(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::BOOL) return false;
  return tensor.has_raw_data() ? tensor.raw_data() == std::string(1, '\0')
                               : tensor.int32_data_size() == 1 && tensor.int32_data(0) == 0;
}

template <class Nodes>
void add_false(const Nodes& nodes, Names& names) {
  for (const onnx::NodeProto& node : nodes)
    for (const onnx::AttributeProto& attribute : node.attribute())
      if (node.op_type() == "Constant" && attribute.name() == "value" && is_false(attribute.t()) &&
          node.output_size() == 1)
        names.insert(node.output(0));
}

/// Which parts of a node are left out, and which of its inputs are left empty.
struct Change {
  bool training_mode = false;          ///< the attribute
  std::uint64_t outputs = UINT64_MAX;  ///< so many stay
  std::uint64_t emptied = UINT64_MAX;  ///< this input
  [[nodiscard]] bool any() const { return training_mode || outputs != UINT64_MAX || emptied != UINT64_MAX; }
};

Change change_of(const onnx::NodeProto& node, std::int64_t opset, const Names& known_false) {
  constexpr std::int64_t kDropoutByInput = 12;
  Change change;
  if (!default_domain(node.domain())) return change;
  if (node.op_type() == "BatchNormalization") {
    bool by_reference = false;
    for (const onnx::AttributeProto& attribute : node.attribute())
      by_reference = by_reference || (attribute.name() == "training_mode" && !attribute.ref_attr_name().empty());
    if (!by_reference && !in_training_mode(node, opset)) return change;
    change.training_mode = true;
    change.outputs = 1;
  } else if (node.op_type() == "Dropout" && opset >= kDropoutByInput && node.input_size() > 2 &&
             !node.input(2).empty() && !known_false.contains(node.input(2))) {
    change.emptied = 2;
  }
  return change;
}

Bytes changed(std::span<const std::byte> file, Extent node, const Change& change) {
  Bytes out;
  std::uint64_t inputs = 0, outputs = 0;
  for (const Field& field : onnx_wire::fields_of(file, node)) {
    if (field.wire_type == onnx_wire::kBytes) {
      if (field.number == fields::kNodeOutput && outputs++ >= change.outputs) continue;
      if (field.number == fields::kNodeInput && inputs++ == change.emptied) {
        onnx_wire::append_field(out, fields::kNodeInput, {});
        continue;
      }
      if (field.number == fields::kNodeAttribute && change.training_mode &&
          parsed<onnx::AttributeProto>(file, field.payload).name() == "training_mode")
        continue;
    }
    onnx_wire::append_as_is(out, file, field);
  }
  return out;
}

/// A graph or a function, whose nodes are fields of this number.
Bytes with_nodes_changed(std::span<const std::byte> file, Extent message, std::uint32_t node_number, std::int64_t opset,
                         const Names& known_false) {
  Bytes out;
  for (const Field& field : onnx_wire::fields_of(file, message)) {
    if (field.number == node_number && field.wire_type == onnx_wire::kBytes) {
      const Change change = change_of(parsed<onnx::NodeProto>(file, field.payload), opset, known_false);
      if (change.any()) {
        onnx_wire::append_field(out, node_number, changed(file, field.payload, change));
        continue;
      }
    }
    onnx_wire::append_as_is(out, file, field);
  }
  return out;
}

}  // namespace

std::vector<std::byte> onnx_in_inference_mode(std::span<const std::byte> file) {
  const OnnxFile model = parse_onnx(file);
  Names in_graph;
  for (const onnx::TensorProto& tensor : model.model.graph().initializer())
    if (is_false(tensor)) in_graph.insert(tensor.name());
  add_false(model.model.graph().node(), in_graph);
  Bytes out;
  int function = 0;
  for (const Field& field : onnx_wire::fields_of(file, {0, file.size()})) {
    if (field.number == fields::kModelGraph && field.wire_type == onnx_wire::kBytes) {
      onnx_wire::append_field(out, fields::kModelGraph,
                              with_nodes_changed(file, field.payload, fields::kGraphNode, model.opset, in_graph));
    } else if (field.number == fields::kModelFunction && field.wire_type == onnx_wire::kBytes) {
      const onnx::FunctionProto& proto = model.model.functions(function++);
      std::int64_t opset = model.opset;
      for (const onnx::OperatorSetIdProto& set : proto.opset_import())
        if (default_domain(set.domain())) opset = set.version();
      Names in_function;
      add_false(proto.node(), in_function);
      onnx_wire::append_field(out, fields::kModelFunction,
                              with_nodes_changed(file, field.payload, fields::kFunctionNode, opset, in_function));
    } else {
      onnx_wire::append_as_is(out, file, field);
    }
  }
  return out;
}

}  // namespace shiftnorm::formats
