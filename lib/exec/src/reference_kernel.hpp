#pragma once

#include <map>
#include <memory>

#include "kernel.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::exec {

/// Values that no image changes, worked out while compiling.
using Folded = std::map<graph::ValueId, Tensor>;

/// Runs an operator form that has no fast kernel through its plain loops, giving output `which` of the node. Sources
/// are its inputs that depend on the image, in order. Constants are copied, the graph need not outlive the kernel.
[[nodiscard]] std::unique_ptr<Kernel> compile_reference(const graph::Graph& graph, const graph::Node& node,
                                                        const Folded& folded, std::size_t which);

/// Output `which` of a node none of whose inputs depends on the image.
[[nodiscard]] Tensor fold(const graph::Graph& graph, const graph::Node& node, const Folded& folded, std::size_t which);

}  // namespace shiftnorm::exec
