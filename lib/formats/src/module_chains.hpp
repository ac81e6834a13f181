#pragma once

#include <vector>

#include "pickle_heap.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

/// Every module inside one, parents first, with its class.
[[nodiscard]] std::vector<ModuleName> module_names(const pickle::Heap& heap, pickle::Id module);

/// The outermost nn.Sequential of stock layers inside a pickled module that take vectors, and what follows another
/// module in one without tensors of its own. Of TorchScript nothing: its code holds what layers are set to.
/// Errors  FormatError for a tree that holds itself, nests too deep or names too much.
[[nodiscard]] std::vector<ModuleChain> module_chains(const pickle::Heap& heap, pickle::Id module);

}  // namespace shiftnorm::formats
