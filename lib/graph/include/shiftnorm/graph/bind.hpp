#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// A tensor offered by a file. `source` names it there.
struct NamedSource {
  std::string name;
  Shape shape;
  const Array* values = nullptr;
};

/// For each parameter of the graph (by ValueId order of Graph::parameters()) the index of the file's tensor.
struct Binding {
  std::vector<std::pair<ValueId, std::size_t>> pairs;
  std::vector<std::string> left_over;  ///< tensors of the file that nothing asked for (counters excepted)
};

/// Matches names after undoing the known wrappings (`module.`, `model.`, nesting such as `state_dict.`), checks shapes
/// and fills the parameters' tensors. `otherwise`: values for parameters that no tensor is named as, used only if
/// every tensor of the file was asked for: constants of an architecture that were no part of its weights.
/// Errors  FormatError listing what is missing, what is left over and, for a wrong shape, the nearest one.
Binding bind(Graph& graph, std::span<const NamedSource> tensors, std::span<const NamedSource> otherwise = {});

}  // namespace shiftnorm::graph
