#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pickle_heap.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

struct StateDict {
  std::vector<std::pair<std::string, pickle::Id>> tensors;  ///< and what stands for one (opaque_values.hpp)
  std::optional<pickle::Id> module;                         ///< whose state it is; absent: a dict's
  std::vector<ModuleName> modules;                          ///< of a dict: those that its _metadata names
  WeightSets sets;
  std::string rest;  ///< of the wanted name: what is not a path in the file
};

/// Finds the weights in what a trainer saved: a dict of tensors or a module, the value itself or nested in dicts, lists
/// and attributes, under names such as `state_dict` or `model`; never an optimizer's. Of several, that which `wanted`
/// names, or else the usual one by the table in the source. Names are the dict's own keys, or those of the module's
/// state_dict(). Of a key given twice the last counts, as in Python. Values that are not tensors are left out.
/// Errors  FormatError listing the top-level keys if there is none.
[[nodiscard]] StateDict find_state_dict(const pickle::Heap& heap, pickle::Id root, std::string_view wanted);

}  // namespace shiftnorm::formats
