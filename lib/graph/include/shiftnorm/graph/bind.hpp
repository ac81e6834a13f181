#pragma once

#include <optional>
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
  std::vector<std::size_t> left_over;  ///< the file's tensors that nothing asked for, counters of batches excepted
};

/// Gives the graph's parameters the tensors of their names behind a prefix (see weight_sets; the fullest one unless
/// said), wrappings inside of names undone, and checks shapes. `otherwise`: values for parameters that no tensor is
/// named as, used only if every tensor behind the prefix was asked for: constants of an architecture that were not part
/// of its weights. Errors  FormatError listing what is missing, what is left over behind the prefix and, for a wrong
/// shape, the nearest
///         one.
Binding bind(Graph& graph, std::span<const NamedSource> tensors, const std::optional<std::string>& behind = {},
             std::span<const NamedSource> otherwise = {});

}  // namespace shiftnorm::graph
