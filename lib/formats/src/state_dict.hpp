#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pickle_heap.hpp"

namespace shiftnorm::formats {

/// Finds the dict of weights in what a trainer saved: the value itself, or a dict nested in dicts at any depth,
/// under names such as `state_dict` or `model`; never an optimizer's. Names are the dict's own keys.
/// Of a key given twice the last counts, as in Python. Values that are no tensors are left out.
/// Errors  FormatError listing the top-level keys if there is none.
[[nodiscard]] std::vector<std::pair<std::string, pickle::TensorRef>> find_state_dict(const pickle::Heap& heap,
                                                                                     pickle::Id root);

}  // namespace shiftnorm::formats
