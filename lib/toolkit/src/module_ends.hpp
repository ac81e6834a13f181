#pragma once

#include <string>

#include "bound_network.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/weight_sets.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::toolkit {

/// What the file says about modules behind a prefix, by the network's own names. Refers to the checkpoint.
void hold_modules(const formats::Checkpoint& checkpoint, const graph::Wrappings& wrappings, const std::string& prefix,
                  zoo::HeldShapes& held);

/// Puts what follows the network in nn.Sequentials around it behind its output: Sequential(resnet, Sigmoid). The report
/// says so, and names a Sigmoid or Softmax beside the network or in its class of which nothing says whether it is
/// used.
void add_ends(BoundNetwork& network, const formats::Checkpoint& checkpoint, const std::string& prefix);

}  // namespace shiftnorm::toolkit
