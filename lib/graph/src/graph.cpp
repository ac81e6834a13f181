#include "shiftnorm/graph/graph.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

template <class T>
T attribute(const Node& node, std::string_view key, T absent) {
  const auto it = node.attributes.find(std::string(key));
  if (it == node.attributes.end()) return absent;
  if (const T* value = std::get_if<T>(&it->second)) return *value;
  throw FormatError(fmt::format("node '{}': attribute '{}' has another type than {} takes", node.name, key, node.op));
}

}  // namespace

std::int64_t Node::integer(std::string_view key, std::int64_t absent) const { return attribute(*this, key, absent); }
float Node::number(std::string_view key, float absent) const { return attribute(*this, key, absent); }
std::vector<std::int64_t> Node::integers(std::string_view key, std::vector<std::int64_t> absent) const {
  return attribute(*this, key, std::move(absent));
}
std::string Node::text(std::string_view key, std::string absent) const {
  return attribute(*this, key, std::move(absent));
}

ValueId Graph::add_input(std::string name, Shape shape) {
  if (input_ != kNone) throw UnsupportedError(fmt::format("a second input '{}'; expected one", name));
  Value value;
  value.name = std::move(name);
  value.shape = std::move(shape);
  values_.push_back(std::move(value));
  input_ = static_cast<ValueId>(values_.size() - 1);
  return input_;
}

ValueId Graph::add_parameter(std::string name, Shape shape) {
  Value value;
  value.name = std::move(name);
  value.shape = std::move(shape);
  value.parameter = true;
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_constant(std::string name, std::vector<std::int64_t> integers) {
  const Shape shape{static_cast<std::int64_t>(integers.size())};
  return add_constant(std::move(name), std::move(integers), shape);
}

ValueId Graph::add_constant(std::string name, std::vector<std::int64_t> integers, Shape shape) {
  if (shape.elements() != static_cast<std::int64_t>(integers.size()))
    throw ShapeError(fmt::format("constant '{}' has {} values for shape {}", name, integers.size(), shape.text()));
  const ValueId id = add_parameter(std::move(name), std::move(shape));
  value(id).integers = std::move(integers);
  return id;
}

ValueId Graph::add(std::string op, std::string name, std::vector<ValueId> inputs,
                   std::map<std::string, Attribute> attributes, std::size_t outputs) {
  for (const ValueId id : inputs) {
    if (id != kNone && (id < 0 || static_cast<std::size_t>(id) >= values_.size()))
      throw FormatError(fmt::format("node '{}' takes a value that no earlier node produces", name));
  }
  Node node{std::move(op), std::move(name), std::move(inputs), {}, std::move(attributes)};
  for (std::size_t i = 0; i < outputs; ++i) {
    Value value;
    value.name = outputs == 1 ? node.name : fmt::format("{}:{}", node.name, i);
    values_.push_back(std::move(value));
    node.outputs.push_back(static_cast<ValueId>(values_.size() - 1));
  }
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs.front();
}

ValueId Graph::insert_behind(ValueId x, std::string op, std::string name, std::vector<ValueId> more,
                             std::map<std::string, Attribute> attributes) {
  const auto producer = std::find_if(nodes_.begin(), nodes_.end(), [x](const Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), x) != node.outputs.end();
  });
  if (producer == nodes_.end()) throw Error(fmt::format("no node produces '{}'", value(x).name));
  const auto at = producer - nodes_.begin() + 1;
  more.insert(more.begin(), x);
  const ValueId y = add(std::move(op), std::move(name), std::move(more), std::move(attributes));
  value(y).shape = value(x).shape;
  std::rotate(nodes_.begin() + at, nodes_.end() - 1, nodes_.end());
  for (auto node = nodes_.begin() + at + 1; node != nodes_.end(); ++node)
    std::replace(node->inputs.begin(), node->inputs.end(), x, y);
  std::replace(outputs_.begin(), outputs_.end(), x, y);
  return y;
}

void Graph::rewire(std::size_t node, std::size_t input, ValueId parameter) {
  if (!value(parameter).parameter) throw Error(fmt::format("'{}' is not a parameter", value(parameter).name));
  nodes_.at(node).inputs.at(input) = parameter;
}

void Graph::set_attribute(std::size_t node, std::string_view key, Attribute value) {
  nodes_.at(node).attributes.insert_or_assign(std::string(key), std::move(value));
}

std::vector<ValueId> Graph::parameters() const {
  std::vector<ValueId> ids;
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (values_[i].parameter && !values_[i].integers) ids.push_back(static_cast<ValueId>(i));
  return ids;
}

}  // namespace shiftnorm::graph
