#pragma once

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::toolkit {

/// What a file says of its BatchNorms, or its format does, takes precedence over what an architecture or a description
/// says of them: which variance is stored, epsilon and momentum belong to the file that holds the statistics (decision
/// 0049).
void keep_conventions(graph::Graph& graph, const formats::Checkpoint& checkpoint, const graph::Binding& binding);

}  // namespace shiftnorm::toolkit
