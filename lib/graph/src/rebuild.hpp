#pragma once

#include <set>
#include <string>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// Copies a graph node by node into a new one, so that a rewrite can leave nodes out, change and add them. Parameters
/// are copied when a node first asks for them; shapes of activations are left to inference.
class Rebuild {
 public:
  explicit Rebuild(const Graph& from);

  [[nodiscard]] ValueId now(ValueId old);  ///< what replaces a value of the old graph
  /// From here on `id` replaces `old` and carries its name.
  void replace(ValueId old, ValueId id);
  void copy(const Node& node);
  /// A name that no value of either graph has: `wanted`, or `wanted.2` and so on.
  [[nodiscard]] std::string fresh(const std::string& wanted);
  /// A new bound parameter of this very name: `fresh` gives one that is not taken.
  ValueId parameter(const std::string& name, Tensor tensor);
  /// Appends a node of this very name.
  ValueId add(std::string op, std::string name, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes = {});
  [[nodiscard]] Graph finish();  ///< sets the outputs

 private:
  const Graph& from_;
  Graph to_;
  std::vector<ValueId> now_;
  std::set<std::string> taken_;
};

/// How many inputs of nodes a value is; graph outputs count too.
[[nodiscard]] std::vector<std::size_t> uses_of(const Graph& graph);
/// Index of the node that gives each value; graph.nodes().size() where none does.
[[nodiscard]] std::vector<std::size_t> producers_of(const Graph& graph);

}  // namespace shiftnorm::graph
