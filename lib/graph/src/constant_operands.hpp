#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/constants.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

using Integers = std::vector<std::int64_t>;

/// A node that is being computed, its operands and what it may take.
struct Operands {
  const Node& node;
  std::span<const Value* const> inputs;
  FoldBudget& budget;

  /// Errors  FormatError if it is absent.
  [[nodiscard]] const Value& at(std::size_t index) const;
  [[nodiscard]] const Shape& shape(std::size_t index) const { return *at(index).shape; }
  /// Errors  UnsupportedError if a result of so many elements is more than its operands have and the budget allows.
  void spend(std::int64_t elements) const;
};

/// The same node in a graph of its own, which knows the shapes of the operands and their integers, as the rules of
/// shapes.hpp and movement.hpp ask for them; its result has the shape that the table of operators gives.
class LoneNode {
 public:
  /// Errors  as infer_node().
  LoneNode(const Node& node, std::span<const Value* const> inputs);

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const Node& node() const { return graph_.nodes().front(); }
  [[nodiscard]] const Shape& result() const { return *graph_.value(node().outputs.front()).shape; }

 private:
  Graph graph_;
};

[[nodiscard]] Value constant(Shape shape, Integers integers);
[[nodiscard]] Value constant(Tensor tensor);
/// The same elements under another shape.
[[nodiscard]] Value reshaped(const Value& from, Shape shape);
/// Repeated to a shape that it broadcasts to.
[[nodiscard]] Value expanded(const Value& from, const Shape& shape);
[[nodiscard]] double number_at(const Value& value, std::size_t index);

/// A rule of the table of what is folded, for operators whose shapes shapes.hpp has.
using Fold = Value (*)(const Operands& in, const LoneNode& lone);
struct FoldRule {
  std::string_view op;
  Fold fold;
};
/// Those that compute: functions of one or two elements, Cast, Where, reductions.
[[nodiscard]] std::vector<FoldRule> arithmetic_rules();

}  // namespace shiftnorm::graph
