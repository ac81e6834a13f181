#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pickle_heap.hpp"

namespace shiftnorm::formats {

struct StateDict {
  std::vector<std::pair<std::string, pickle::TensorRef>> tensors;
  std::optional<pickle::Id> module;  ///< whose state it is; absent: a dict's
};

/// Finds the weights in what a trainer saved: a dict of tensors or a module, the value itself or nested in dicts at any
/// depth, under names such as `state_dict` or `model`; never an optimizer's. Names are the dict's own keys, or those of
/// the module's state_dict(). Of a key given twice the last counts, as in Python. Values that are no tensors are left
/// out. Errors  FormatError listing the top-level keys if there is none, or naming a class that belongs to no module.
[[nodiscard]] StateDict find_state_dict(const pickle::Heap& heap, pickle::Id root);

}  // namespace shiftnorm::formats
