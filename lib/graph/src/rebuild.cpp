#include "rebuild.hpp"

#include <fmt/format.h>

#include <utility>

namespace shiftnorm::graph {

Rebuild::Rebuild(const Graph& from) : from_(from), now_(from.values(), kNone) {
  for (std::size_t i = 0; i < from.values(); ++i) taken_.insert(from.value(static_cast<ValueId>(i)).name);
  if (from.input() == kNone) return;
  const Value& input = from.value(from.input());
  now_[static_cast<std::size_t>(from.input())] = to_.add_input(input.name, *input.shape);
}

ValueId Rebuild::now(ValueId old) {
  if (old == kNone) return kNone;
  ValueId& id = now_.at(static_cast<std::size_t>(old));
  if (id == kNone) {
    const Value& value = from_.value(old);
    id = to_.add_parameter(value.name, *value.shape);
    to_.value(id) = value;
  }
  return id;
}

void Rebuild::replace(ValueId old, ValueId id) {
  now_.at(static_cast<std::size_t>(old)) = id;
  to_.value(id).name = from_.value(old).name;
}

void Rebuild::copy(const Node& node) {
  std::vector<ValueId> inputs;
  for (const ValueId id : node.inputs) inputs.push_back(now(id));
  to_.add(node.op, node.name, std::move(inputs), node.attributes, node.outputs.size());
  const std::vector<ValueId> outputs = to_.nodes().back().outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (node.outputs[i] != kNone) replace(node.outputs[i], outputs[i]);
}

std::string Rebuild::fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !taken_.insert(name).second; ++i) name = fmt::format("{}.{}", wanted, i);
  return name;
}

ValueId Rebuild::parameter(const std::string& name, Tensor tensor) {
  const ValueId id = to_.add_parameter(name, tensor.shape);
  to_.value(id).tensor = std::move(tensor);
  return id;
}

ValueId Rebuild::add(std::string op, std::string name, std::vector<ValueId> inputs,
                     std::map<std::string, Attribute> attributes) {
  return to_.add(std::move(op), std::move(name), std::move(inputs), std::move(attributes));
}

Graph Rebuild::finish() {
  std::vector<ValueId> outputs;
  for (const ValueId id : from_.outputs()) outputs.push_back(now(id));
  to_.set_outputs(std::move(outputs));
  return std::move(to_);
}

std::vector<std::size_t> uses_of(const Graph& graph) {
  std::vector<std::size_t> uses(graph.values(), 0);
  for (const Node& node : graph.nodes())
    for (const ValueId id : node.inputs)
      if (id != kNone) ++uses[static_cast<std::size_t>(id)];
  for (const ValueId id : graph.outputs()) ++uses[static_cast<std::size_t>(id)];
  return uses;
}

std::vector<std::size_t> producers_of(const Graph& graph) {
  std::vector<std::size_t> producers(graph.values(), graph.nodes().size());
  for (std::size_t n = 0; n < graph.nodes().size(); ++n)
    for (const ValueId id : graph.nodes()[n].outputs)
      if (id != kNone) producers[static_cast<std::size_t>(id)] = n;
  return producers;
}

}  // namespace shiftnorm::graph
