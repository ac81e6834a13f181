#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <type_traits>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::formats {
namespace {

using graph::Graph, graph::Node, graph::Value, graph::ValueId;

/// Opset 17 came with the eighth version of the format.
constexpr std::int64_t kIrVersion = 8;
constexpr std::size_t kMaxBytes = std::numeric_limits<std::int32_t>::max();

/// Whether a Reshape counts one image where it could copy their number.
bool counts_one_image(const Graph& graph, const Node& node) {
  if (node.op != "Reshape" || node.inputs.size() < 2 || node.inputs[1] == graph::kNone ||
      node.integer("allowzero", 0) != 0)
    return false;
  const std::optional<std::vector<std::int64_t>>& target = graph.value(node.inputs[1]).integers;
  const std::optional<Shape>& shape = graph.value(node.inputs[0]).shape;
  return target && !target->empty() && target->front() == 1 && shape && shape->rank() > 0 && (*shape)[0] == 1;
}

/// The network with Reshapes that keep the number of images, which is 1 in the shapes of a Graph.
Graph of_any_number(Graph graph) {
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!counts_one_image(graph, graph.nodes()[n])) continue;
    std::vector<std::int64_t> target = *graph.value(graph.nodes()[n].inputs[1]).integers;
    target.front() = 0;
    graph.rewire(n, 1, graph.add_constant(graph.nodes()[n].name + ".shape", std::move(target)));
  }
  return graph;
}

/// Whether the network works on inputs of this shape and gives outputs that differ from its own in the first dimension
/// alone.
bool takes(const Graph& graph, std::vector<std::int64_t> input) {
  const std::int64_t images = input.at(0);
  try {
    Graph other = graph;
    other.value(other.input()).shape = Shape(std::move(input));
    graph::infer_shapes(other);
    for (const ValueId id : graph.outputs()) {
      std::vector<std::int64_t> extents = graph.value(id).shape->extents();
      if (extents.empty()) return false;
      extents[0] *= images;
      if (*other.value(id).shape != Shape(std::move(extents))) return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

class Writer {
 public:
  explicit Writer(const Graph& graph, onnx::GraphProto& proto) : graph_(graph), proto_(proto) {
    for (std::size_t i = 0; i < graph.values(); ++i) {
      const auto id = static_cast<ValueId>(i);
      names_.push_back(fresh(graph.value(id).name.empty() ? fmt::format("value_{}", i) : graph.value(id).name));
    }
    own_input_ = find_own_input();
    if (own_input_ != nullptr) names_.at(static_cast<std::size_t>(own_input_->outputs.front())) = name(graph.input());
  }

  void write() {
    describe_input();
    for (const Node& node : graph_.nodes())
      if (&node != own_input_) write_node(node);
    for (const ValueId id : graph_.outputs()) {
      onnx::ValueInfoProto& info = *proto_.add_output();
      info.set_name(name(id));
      fill(*info.mutable_type(), *graph_.value(id).shape);
      if (any_number_) symbolic(info, 0, "N");
    }
  }

 private:
  [[nodiscard]] const std::string& name(ValueId id) const {
    static const std::string absent;
    return id == graph::kNone ? absent : names_.at(static_cast<std::size_t>(id));
  }

  /// The Transpose that reading put in front of an input with channels last; null if there is none, or if something
  /// else reads the graph's input too.
  [[nodiscard]] const Node* find_own_input() const {
    const Node* found = nullptr;
    for (const Node& node : graph_.nodes()) {
      if (std::find(node.inputs.begin(), node.inputs.end(), graph_.input()) == node.inputs.end()) continue;
      if (found != nullptr || node.integer(graph::kOwnInput, 0) == 0) return nullptr;
      found = &node;
    }
    return found;
  }

  std::string fresh(const std::string& wanted) {
    std::string unique = wanted;
    for (int i = 2; !taken_.insert(unique).second; ++i) unique = fmt::format("{}.{}", wanted, i);
    return unique;
  }

  static void fill(onnx::TypeProto& type, const Shape& shape) {
    type.mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : shape.extents())
      type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(extent);
  }

  static void symbolic(onnx::ValueInfoProto& info, int axis, const char* symbol) {
    info.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(axis)->set_dim_param(symbol);
  }

  void describe_input() {
    onnx::ValueInfoProto& info = *proto_.add_input();
    info.set_name(name(graph_.input()));
    const Shape& shape = *graph_.value(graph_.input()).shape;
    fill(*info.mutable_type(), shape);
    std::vector<std::int64_t> two = shape.extents();
    two.at(0) = 2;
    any_number_ = takes(graph_, std::move(two));
    if (any_number_) symbolic(info, 0, "N");
    if (own_input_ != nullptr) {  // as the file that was read has it
      auto& dims = *info.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim();
      std::rotate(dims.begin() + 1, dims.begin() + 2, dims.end());
    }
    if (shape.rank() != 4) return;
    // Tried with a size that no rounding of strides makes equal to the network's own.
    std::vector<std::int64_t> larger = shape.extents();
    larger[2] = 2 * larger[2] + 1;
    larger[3] = 2 * larger[3] + 1;
    if (!takes(graph_, std::move(larger))) return;
    const int height = own_input_ != nullptr ? 1 : 2;
    symbolic(info, height, "H");
    symbolic(info, height + 1, "W");
  }

  void write_node(const Node& node) {
    onnx::NodeProto& out = *proto_.add_node();
    out.set_op_type(node.op);
    out.set_name(node.name);
    for (const ValueId id : node.inputs) {
      if (id != graph::kNone && graph_.value(id).parameter) write_initializer(id);
      out.add_input(name(id));
    }
    for (const ValueId id : node.outputs) out.add_output(name(id));
    for (const auto& [key, value] : node.attributes) {
      if (key.starts_with(graph::kOwnAttribute)) continue;
      onnx::AttributeProto& attribute = *out.add_attribute();
      attribute.set_name(key);
      std::visit([&attribute](const auto& v) { set(attribute, v); }, value);
    }
  }

  static void set(onnx::AttributeProto& to, std::int64_t v) {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(v);
  }
  static void set(onnx::AttributeProto& to, float v) {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(v);
  }
  static void set(onnx::AttributeProto& to, const std::string& v) {
    to.set_type(onnx::AttributeProto::STRING);
    to.set_s(v);
  }
  static void set(onnx::AttributeProto& to, const std::vector<std::int64_t>& v) {
    to.set_type(onnx::AttributeProto::INTS);
    to.mutable_ints()->Add(v.begin(), v.end());
  }
  static void set(onnx::AttributeProto& to, const std::vector<float>& v) {
    to.set_type(onnx::AttributeProto::FLOATS);
    to.mutable_floats()->Add(v.begin(), v.end());
  }

  void write_initializer(ValueId id) {
    if (!written_.insert(id).second) return;
    const Value& value = graph_.value(id);
    onnx::TensorProto& tensor = *proto_.add_initializer();
    tensor.set_name(name(id));
    for (const std::int64_t extent : value.shape->extents()) tensor.add_dims(extent);
    const auto put = [&](onnx::TensorProto::DataType type, const auto* values, std::size_t count) {
      bytes_ += count * sizeof(*values);
      if (bytes_ > kMaxBytes) too_large();
      tensor.set_data_type(type);
      // Little-endian in the file as in memory.
      tensor.mutable_raw_data()->assign(reinterpret_cast<const char*>(values), count * sizeof(*values));
    };
    if (value.integers)
      put(onnx::TensorProto::INT64, value.integers->data(), value.integers->size());
    else if (value.tensor)
      put(onnx::TensorProto::FLOAT, value.tensor->values.data(), value.tensor->values.size());
    else
      throw FormatError(fmt::format("parameter '{}' has no values; expected a bound network", value.name));
  }

 public:
  [[noreturn]] static void too_large() {
    throw UnsupportedError(
        "the network takes more than the 2 GiB that an ONNX file can hold; expected a smaller one, or another format");
  }

 private:
  const Graph& graph_;
  onnx::GraphProto& proto_;
  std::vector<std::string> names_;
  std::set<std::string> taken_;
  std::set<ValueId> written_;
  std::size_t bytes_ = 0;
  bool any_number_ = false;
  const Node* own_input_ = nullptr;
};

}  // namespace

std::vector<std::byte> write_onnx(const Graph& network, const std::string& version,
                                  const std::map<std::string, std::string>& metadata) {
  const Graph graph = of_any_number(network);
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("shiftnorm");
  model.set_producer_version(version);
  model.add_opset_import()->set_version(graph::kOpset);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  model.mutable_graph()->set_name("network");
  Writer(graph, *model.mutable_graph()).write();
  if (model.ByteSizeLong() > kMaxBytes) Writer::too_large();
  std::vector<std::byte> bytes(model.ByteSizeLong());
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())))
    throw Error("the ONNX message could not be serialised");
  return bytes;
}

}  // namespace shiftnorm::formats
