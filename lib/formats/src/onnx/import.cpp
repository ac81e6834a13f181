#include "import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "channels_last.hpp"
#include "operator_forms.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/constants.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "vectors.hpp"

namespace shiftnorm::formats {
namespace {

using graph::Attribute, graph::Graph, graph::kNone, graph::Node, graph::Value, graph::ValueId;

std::optional<Attribute> attribute_of(const onnx::AttributeProto& a) {
  switch (a.type()) {
    case onnx::AttributeProto::INT: return a.i();
    case onnx::AttributeProto::FLOAT: return a.f();
    case onnx::AttributeProto::STRING: return a.s();
    case onnx::AttributeProto::INTS: return std::vector<std::int64_t>(a.ints().begin(), a.ints().end());
    case onnx::AttributeProto::FLOATS: return std::vector<float>(a.floats().begin(), a.floats().end());
    default: break;
  }
  // Files of the first versions do not say which kind an attribute is.
  if (a.type() == onnx::AttributeProto::UNDEFINED) {
    if (a.has_i()) return a.i();
    if (a.has_f()) return a.f();
    if (a.has_s()) return a.s();
    if (a.ints_size() > 0) return std::vector<std::int64_t>(a.ints().begin(), a.ints().end());
    if (a.floats_size() > 0) return std::vector<float>(a.floats().begin(), a.floats().end());
  }
  return std::nullopt;  // tensors and graphs, which their operators take care of
}

class Importer {
 public:
  Importer(const OnnxFile& file, ExternalFiles& files, Weights weights)
      : proto_(file.model.graph()), sources_(file.nodes), files_(files), weights_(weights) {
    for (const std::string& name : value_names(proto_)) names_.insert(name);
    for (const onnx::NodeProto& node : proto_.node())
      for (const std::string& name : node.input()) used_.insert(name);
    for (const onnx::ValueInfoProto& output : proto_.output()) used_.insert(output.name());
    for (BatchNormVector& vector : batch_norm_vectors(proto_))
      vectors_.emplace(std::pair(vector.node, vector.slot), std::move(vector.name));
  }

  Imported run() {
    if (proto_.sparse_initializer_size() > 0)
      throw UnsupportedError(fmt::format("initialiser '{}' is sparse; expected dense ones",
                                         printable(proto_.sparse_initializer(0).values().name())));
    take_initializers();
    take_input();
    for (index_ = 0; index_ < proto_.node_size(); ++index_) {
      const onnx::NodeProto& node = proto_.node(index_);
      const std::string name = node_name(node);
      try {
        take_node(node, name);
      } catch (const Error&) {
        rethrow_at(fmt::format("node '{}' ({})", printable(name), printable(node.op_type())));
      }
    }
    std::vector<ValueId> outputs;
    for (const onnx::ValueInfoProto& output : proto_.output()) outputs.push_back(find(output.name()));
    if (outputs.empty()) throw FormatError("its graph has no output");
    out_.graph.set_outputs(std::move(outputs));
    return std::move(out_);
  }

 private:
  Graph& graph() { return out_.graph; }

  void take_initializers() {
    for (const onnx::TensorProto& tensor : proto_.initializer()) {
      try {
        name_value(tensor.name(),
                   add_tensor(tensor.name(), tensor, weights_ == Weights::unbound && tensor.dims_size() > 0));
      } catch (const Error&) {
        rethrow_at(fmt::format("initialiser '{}'", printable(tensor.name())));
      }
    }
  }

  ValueId add_tensor(std::string name, const onnx::TensorProto& tensor, bool unbound = false) {
    const Array array = read_tensor(tensor, files_);
    const ValueId id = graph().add_parameter(std::move(name), array.shape());
    if (!is_floating(array.dtype()))
      graph().value(id).integers = array.to_int64();
    else if (!unbound)
      graph().value(id).tensor = Tensor(array);
    return id;
  }

  void take_input() {
    std::vector<std::string> names;
    const onnx::ValueInfoProto* input = nullptr;
    for (const onnx::ValueInfoProto& one : proto_.input()) {
      if (value_of_.contains(one.name())) continue;  // an initialiser, which older files list here too
      names.push_back(printable(one.name()));
      input = &one;
    }
    if (names.size() != 1)
      throw UnsupportedError(fmt::format("has {} inputs ({}); expected one, of images", names.size(), join(names, 6)));
    const onnx::TypeProto_Tensor& type = input->type().tensor_type();
    if (!type.has_shape())
      throw UnsupportedError(
          fmt::format("input '{}' states no shape, so that not even its rank is known; expected its axes, [N, C, ...], "
                      "with a name or nothing for those that are free (onnx.tools.update_model_dims writes them)",
                      names[0]));
    if (!is_floating(dtype_of(type.elem_type())))
      throw UnsupportedError(fmt::format("input '{}' takes {}; expected floating-point numbers", names[0],
                                         name_of(dtype_of(type.elem_type()))));
    for (const auto& dim : type.shape().dim()) {
      const std::int64_t extent = dim.has_dim_value() ? dim.dim_value() : 0;
      out_.input.push_back(std::max<std::int64_t>(extent, 0));
    }
    ValueId id = graph().add_input(input->name(), Shape{});
    graph().value(id).shape.reset();
    if (takes_channels_last(proto_, input->name(), out_.input)) {
      out_.channels_last = true;
      std::rotate(out_.input.begin() + 1, out_.input.end() - 1, out_.input.end());
      const std::string name = names_.fresh(input->name() + "/channels_last");
      node_names_.insert(name);
      id = graph().add(
          "Transpose", name, {id},
          {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}, {std::string(graph::kOwnInput), std::int64_t{1}}});
    }
    name_value(input->name(), id);
  }

  /// From opset 12 on a Dropout has an input that says so.
  bool drops_at_random(const Node& node, std::int64_t opset) const {
    constexpr std::int64_t kByInput = 12;
    if (node.op != "Dropout" || opset < kByInput || node.inputs.size() < 3 || node.inputs[2] == kNone) return false;
    const std::optional<std::vector<std::int64_t>>& training = out_.graph.value(node.inputs[2]).integers;
    return training && training->size() == 1 && training->front() != 0;
  }

  /// A file that only describes a network for other weights says nothing about how those are run.
  void note_training_mode(Lowering& step, bool drops) {
    const bool by_batch = step.proto.op_type() == "BatchNormalization" && in_training_mode(step.proto, step.opset);
    if (weights_ == Weights::unbound || (!by_batch && !drops)) return;
    out_.in_training.push_back({step.node.name, step.proto.op_type()});
    if (by_batch)
      step.node.attributes[std::string(graph::kByBatch)] = out_.input.empty() ? std::int64_t{0} : out_.input[0];
  }

  /// The file's own where it is one, else that of its first output, which is always there and always unique.
  std::string node_name(const onnx::NodeProto& node) {
    if (!node.name().empty() && node_names_.insert(node.name())) return node.name();
    return node_names_.fresh(node.output_size() > 0 ? node.output(0) : fmt::format("node {}", index_));
  }

  ValueId find(const std::string& name) const {
    const auto at = value_of_.find(name);
    if (at == value_of_.end())
      throw FormatError(fmt::format("'{}' is not produced by any earlier node, input or initialiser", printable(name)));
    return at->second;
  }

  void name_value(const std::string& name, ValueId id) {
    if (!value_of_.emplace(name, id).second) throw FormatError(fmt::format("'{}' is given twice", printable(name)));
  }

  void take_node(const onnx::NodeProto& proto, const std::string& name) {
    const std::int64_t opset = sources_.at(static_cast<std::size_t>(index_)).opset;
    const OperatorForm* form = default_domain(proto.domain()) ? find_form(proto.op_type(), opset) : nullptr;
    const auto unsupported = [&] {
      return UnsupportedError(fmt::format("operator {} of domain '{}' at opset {} is not supported",
                                          printable(proto.op_type()),
                                          proto.domain().empty() ? "ai.onnx" : printable(proto.domain()), opset));
    };
    if (form == nullptr) throw unsupported();
    Node node;
    node.op = proto.op_type();
    node.name = name;
    for (const std::string& input : proto.input()) node.inputs.push_back(input.empty() ? kNone : find(input));
    for (const onnx::AttributeProto& attribute : proto.attribute()) {
      if (!attribute.ref_attr_name().empty())
        throw FormatError(fmt::format("attribute '{}' belongs to a function", printable(attribute.name())));
      if (std::optional<Attribute> value = attribute_of(attribute))
        node.attributes[attribute.name()] = std::move(*value);
    }
    std::vector<std::string> outputs(proto.output().begin(), proto.output().end());
    if (outputs.empty()) throw FormatError("has no output");
    while (outputs.size() > 1 && !used_.contains(outputs.back())) outputs.pop_back();
    const graph::OpSpec* known = graph::find_operator(node.op);
    const std::size_t most = known == nullptr ? 1 : known->max_outputs;
    if (outputs.size() > most)
      throw UnsupportedError(fmt::format("its output {} ('{}') is used; expected only the first {}", outputs.size(),
                                         printable(outputs.back()), most));
    if (proto.op_type() == "BatchNormalization") own_vectors(node);

    Lowering step{
        proto,
        opset,
        std::move(node),
        [&](std::string op, std::string_view part, std::vector<ValueId> inputs,
            std::map<std::string, Attribute> attributes) {
          Node before{std::move(op), fmt::format("{}/{}", name, part), std::move(inputs), {}, std::move(attributes)};
          return emit(std::move(before), 1).front();
        },
        [&](std::vector<std::int64_t> values, bool scalar) {
          const ValueId id = graph().add_constant(name + "/constant", std::move(values));
          if (scalar) graph().value(id).shape = Shape{};
          return id;
        },
        [&](std::vector<float> values, bool scalar) {
          const Shape shape = scalar ? Shape{} : Shape{static_cast<std::int64_t>(values.size())};
          const ValueId id = graph().add_parameter(name + "/constant", shape);
          graph().value(id).tensor = Tensor(shape, values);
          return id;
        },
        [&](ValueId id) -> const Value& { return graph().value(id); },
        [&](const onnx::TensorProto& tensor) { return add_tensor(name, tensor); }};
    const bool drops = drops_at_random(step.node, opset);
    form->lower(step);
    note_training_mode(step, drops);
    if (graph::find_operator(step.node.op) == nullptr && !graph::foldable(step.node.op)) throw unsupported();
    const std::vector<ValueId> ids = emit(std::move(step.node), outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].empty()) continue;
      if (graph().value(ids[i]).parameter && graph().value(ids[i]).name != outputs[i])
        graph().value(ids[i]).name = outputs[i];
      if (!graph().value(ids[i]).parameter) graph().value(ids[i]).name = outputs[i];
      name_value(outputs[i], ids[i]);
    }
  }

  /// Appends the node, or the constant that it comes to.
  std::vector<ValueId> emit(Node node, std::size_t outputs) {
    std::vector<const Value*> values;
    for (const ValueId id : node.inputs) values.push_back(id == kNone ? nullptr : &graph().value(id));
    if (std::optional<Value> constant = graph::constant_of(node, values, budget_)) {
      const ValueId id = graph().add_parameter(node.name, *constant->shape);
      graph().value(id).tensor = std::move(constant->tensor);
      graph().value(id).integers = std::move(constant->integers);
      return {id};
    }
    // A parameter under another name, which is its own where the exporter merged equal ones.
    if (node.op == "Identity" && values.size() == 1 && values[0] != nullptr && values[0]->parameter) {
      const Shape shape = *values[0]->shape;
      return {graph().add_parameter(node.name, shape)};
    }
    (void)graph().add(std::move(node.op), std::move(node.name), std::move(node.inputs), std::move(node.attributes),
                      outputs);
    return graph().nodes().back().outputs;
  }

  void own_vectors(Node& node) {
    if (node.inputs.size() != 5) throw FormatError(fmt::format("has {} inputs; expected 5", node.inputs.size()));
    for (int slot = 1; slot < 5; ++slot) {
      ValueId& id = node.inputs[static_cast<std::size_t>(slot)];
      if (id == kNone || !graph().value(id).parameter)
        throw UnsupportedError(
            fmt::format("its input {} is computed at run time; expected a vector that the file holds", slot));
      if (graph().value(id).integers) throw FormatError(fmt::format("its input {} holds integers", slot));
      if (weights_ == Weights::unbound) continue;
      const std::string& name = vectors_.at({index_, slot});
      if (graph().value(id).name == name && own_.insert(id).second) continue;
      const Value source = graph().value(id);
      id = graph().add_parameter(name, *source.shape);
      graph().value(id).tensor = source.tensor;
      own_.insert(id);
    }
  }

  const onnx::GraphProto& proto_;
  const std::vector<NodeSource>& sources_;
  ExternalFiles& files_;
  Weights weights_;
  Imported out_;
  graph::FoldBudget budget_;
  int index_ = 0;
  std::unordered_map<std::string, ValueId> value_of_;
  std::set<std::string> used_;
  TakenNames names_, node_names_;
  std::map<std::pair<int, int>, std::string> vectors_;
  std::set<ValueId> own_;
};

}  // namespace

Imported import_onnx(const OnnxFile& file, ExternalFiles& files, Weights weights) {
  return Importer(file, files, weights).run();
}

}  // namespace shiftnorm::formats
