#pragma once

#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

/// Makes biases of convolutions zeros where the file has none of them, and BatchNorms without scale and bias where it
/// has none of these: constants that no file holds.
void fit_parameters(graph::Graph& graph, const HeldShapes& held);

}  // namespace shiftnorm::zoo
