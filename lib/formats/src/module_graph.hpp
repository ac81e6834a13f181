#pragma once

#include <functional>
#include <string>

#include "pickle_heap.hpp"
#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::formats {

/// The network of a pickled module, if its classes alone define it.
struct ModuleNetwork {
  std::function<graph::Graph(const Shape& input)> build;  ///< empty unless it is a chain of stock layers
  Shape input{0};                                         ///< of one image: extents that the layers leave open are 0
  std::string missing;  ///< what the module is when it is no such chain: "a pickled module of class 'net.Net'"
};

/// Reads nn.Sequential, nested or wrapped in DataParallel, of the layers in stock_layers.cpp. Code is never looked at.
/// Errors  FormatError for attributes that no such layer has.
[[nodiscard]] ModuleNetwork read_module_network(const pickle::Heap& heap, pickle::Id module);

}  // namespace shiftnorm::formats
