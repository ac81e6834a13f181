#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::graph {

using ValueId = std::int32_t;
inline constexpr ValueId kNone = -1;  ///< an optional input that is absent

using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;

/// One operator of ONNX's default domain, channels first.
struct Node {
  std::string op;    ///< ONNX op_type
  std::string name;  ///< for messages; unique in its graph
  std::vector<ValueId> inputs, outputs;
  std::map<std::string, Attribute> attributes;

  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t absent) const;
  [[nodiscard]] float number(std::string_view key, float absent) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> absent) const;
  [[nodiscard]] std::string text(std::string_view key, std::string absent) const;
};

/// The opset of the forms that zoo entries are written in and that is stated where a graph is written out; the table of
/// operators also knows what later ones added (docs/decisions/0008).
inline constexpr std::int64_t kOpset = 17;

/// A value: an activation (produced by a node or the graph's input) or a parameter, whose tensor may still be unbound.
struct Value {
  std::string name;            ///< parameters: the name that weights are matched by
  std::optional<Shape> shape;  ///< parameters: always. Activations: after inference
  bool parameter = false;
  std::optional<Tensor> tensor;                       ///< float parameters once bound
  std::optional<std::vector<std::int64_t>> integers;  ///< integer constants (axes, pads, starts ...)
};

/// A directed acyclic network, one input of N images and one or more outputs. Nodes are in topological order.
class Graph {
 public:
  ValueId add_input(std::string name, Shape shape);      ///< [N, C, ...]; a Plan needs N = 1
  ValueId add_parameter(std::string name, Shape shape);  ///< unbound
  ValueId add_constant(std::string name, std::vector<std::int64_t> values);
  ValueId add_constant(std::string name, std::vector<std::int64_t> values, Shape shape);
  /// Appends a node; returns its first output. Inputs must exist already.
  ValueId add(std::string op, std::string name, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes = {}, std::size_t outputs = 1);
  void rewire(std::size_t node, std::size_t input, ValueId parameter);  ///< another parameter for one input
  void set_attribute(std::size_t node, std::string_view key, Attribute value);
  /// Puts a node of one output behind the node that gives `x`: everything that read `x`, and outputs that are it, now
  /// read the new value, which is returned. `more`: the node's inputs after x.
  ValueId insert_behind(ValueId x, std::string op, std::string name, std::vector<ValueId> more,
                        std::map<std::string, Attribute> attributes = {});
  void set_outputs(std::vector<ValueId> outputs) { outputs_ = std::move(outputs); }

  [[nodiscard]] const std::vector<Node>& nodes() const noexcept { return nodes_; }
  [[nodiscard]] const Value& value(ValueId id) const { return values_.at(static_cast<std::size_t>(id)); }
  [[nodiscard]] Value& value(ValueId id) { return values_.at(static_cast<std::size_t>(id)); }
  [[nodiscard]] std::size_t values() const noexcept { return values_.size(); }
  [[nodiscard]] ValueId input() const noexcept { return input_; }
  [[nodiscard]] const std::vector<ValueId>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] std::vector<ValueId> parameters() const;  ///< float parameters in order of creation

 private:
  std::vector<Node> nodes_;
  std::vector<Value> values_;
  ValueId input_ = kNone;
  std::vector<ValueId> outputs_;
};

}  // namespace shiftnorm::graph
