#include "vectors.hpp"

#include <algorithm>
#include <unordered_map>

namespace shiftnorm::formats {
namespace {

const onnx::AttributeProto* attribute(const onnx::NodeProto& node, std::string_view name) {
  for (const onnx::AttributeProto& one : node.attribute())
    if (one.name() == name) return &one;
  return nullptr;
}

class Survey {
 public:
  explicit Survey(const onnx::GraphProto& graph) : graph_(graph) {
    for (int i = 0; i < graph.initializer_size(); ++i) initializers_.emplace(graph.initializer(i).name(), i);
    for (int i = 0; i < graph.node_size(); ++i) {
      for (const std::string& name : graph.node(i).output()) producers_.emplace(name, i);
      for (const std::string& name : graph.node(i).input()) ++uses_[name];
    }
    for (const onnx::ValueInfoProto& output : graph.output()) ++uses_[output.name()];
  }

  /// Follows the values back to where they are stored.
  void trace(BatchNormVector& vector) const {
    std::string_view at = graph_.node(vector.node).input(vector.slot);
    vector.sole = true;
    bool computed = false;
    for (int steps = 0; steps <= graph_.node_size(); ++steps) {
      if (const auto uses = uses_.find(at); uses != uses_.end() && uses->second > 1) vector.sole = false;
      if (const auto stored = initializers_.find(at); stored != initializers_.end()) {
        if (!computed) vector.initializer = stored->second;
        found(vector, graph_.initializer(stored->second).data_type());
        return;
      }
      const auto from = producers_.find(at);
      if (from == producers_.end()) return;
      const onnx::NodeProto& node = graph_.node(from->second);
      if (node.op_type() == "Constant") {
        const onnx::AttributeProto* value = attribute(node, "value");
        if (!computed && value != nullptr) vector.constant = from->second;
        found(vector, value != nullptr ? value->t().data_type() : onnx::TensorProto::FLOAT);
        return;
      }
      if (node.op_type() == "ConstantOfShape") {
        const onnx::AttributeProto* value = attribute(node, "value");
        found(vector, value != nullptr ? value->t().data_type() : onnx::TensorProto::FLOAT);
        return;
      }
      if (node.op_type() == "Cast") {
        if (const onnx::AttributeProto* to = attribute(node, "to")) found(vector, static_cast<std::int32_t>(to->i()));
      } else if (node.op_type() != "Identity") {
        computed = true;
      }
      if (node.input_size() == 0) return;
      at = node.input(0);
    }
  }

 private:
  /// The type nearest to the node counts.
  static void found(BatchNormVector& vector, std::int32_t type) {
    if (vector.type == 0) vector.type = type;
  }

  const onnx::GraphProto& graph_;
  std::unordered_map<std::string_view, int> initializers_, producers_, uses_;
};

}  // namespace

std::string TakenNames::fresh(const std::string& wanted) {
  if (insert(wanted)) return wanted;
  const std::size_t dot = wanted.find_last_of('.');
  for (int& i = next_.try_emplace(wanted, 2).first->second;;) {
    const std::string number = "." + std::to_string(i++);
    std::string name = dot == std::string::npos ? wanted + number : wanted.substr(0, dot) + number + wanted.substr(dot);
    if (insert(name)) return name;
  }
}

bool in_training_mode(const onnx::NodeProto& node, std::int64_t opset) {
  constexpr std::int64_t kByAttribute = 14;
  if (opset >= kByAttribute) {
    const onnx::AttributeProto* mode = attribute(node, "training_mode");
    return mode != nullptr && mode->i() != 0;
  }
  return std::any_of(node.output().begin(), node.output().end(),
                     [&node](const std::string& name) { return !name.empty() && &name != &node.output(0); });
}

std::vector<std::string> value_names(const onnx::GraphProto& graph) {
  std::vector<std::string> names;
  for (const onnx::TensorProto& tensor : graph.initializer()) names.push_back(tensor.name());
  for (const onnx::ValueInfoProto& input : graph.input()) names.push_back(input.name());
  for (const onnx::ValueInfoProto& output : graph.output()) names.push_back(output.name());
  for (const onnx::NodeProto& node : graph.node()) {
    names.insert(names.end(), node.input().begin(), node.input().end());
    names.insert(names.end(), node.output().begin(), node.output().end());
  }
  return names;
}

std::vector<BatchNormVector> batch_norm_vectors(const onnx::GraphProto& graph) {
  const Survey survey(graph);
  TakenNames taken;
  for (const std::string& name : value_names(graph)) taken.insert(name);
  std::unordered_set<std::string> given;
  std::vector<BatchNormVector> vectors;
  for (int n = 0; n < graph.node_size(); ++n) {
    const onnx::NodeProto& node = graph.node(n);
    if (node.op_type() != "BatchNormalization" || !default_domain(node.domain())) continue;
    for (int slot = 1; slot < 5 && slot < node.input_size(); ++slot) {
      BatchNormVector vector;
      vector.node = n;
      vector.slot = slot;
      vector.name = given.insert(node.input(slot)).second ? node.input(slot) : taken.fresh(node.input(slot));
      survey.trace(vector);
      vectors.push_back(std::move(vector));
    }
  }
  return vectors;
}

}  // namespace shiftnorm::formats
