#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "budget.hpp"
#include "pickle_heap.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

/// Whether an object's attributes are those of a torch.nn.Module or of a TorchScript object. Takes as long as it has
/// attributes, and is_module() no time at all: it knows what was found when the object was built.
[[nodiscard]] bool has_module_state(const pickle::Heap& heap, pickle::Id object);
[[nodiscard]] bool is_module(const pickle::Heap& heap, pickle::Id id);
[[nodiscard]] bool is_torch_script(const pickle::Heap& heap, pickle::Id module);

/// "torch.nn.modules.conv.Conv2d", or "__torch__.mynet.Net" in TorchScript.
[[nodiscard]] std::string_view class_of(const pickle::Heap& heap, pickle::Id module);

/// The modules inside one, by name, in the file's order. Entries without a module are left out.
[[nodiscard]] std::vector<std::pair<std::string, pickle::Id>> children(const pickle::Heap& heap, pickle::Id module);

/// A module and all inside it by their dotted names, parents first; its own name is empty.
/// Errors  as module_tensors.
[[nodiscard]] std::vector<std::pair<std::string, pickle::Id>> modules_in(const pickle::Heap& heap, pickle::Id module);

/// What the module's state_dict() holds: parameters and persistent buffers with dotted names, parents first; of what
/// stands for a tensor (opaque_values.hpp) too.
/// Errors  FormatError for a tree that holds itself, nests too deep or names too much.
[[nodiscard]] std::vector<std::pair<std::string, pickle::Id>> module_tensors(const pickle::Heap& heap,
                                                                             pickle::Id module);
/// The same within a budget that several walks share.
[[nodiscard]] std::vector<std::pair<std::string, pickle::Id>> module_tensors(const pickle::Heap& heap,
                                                                             pickle::Id module, Budget& budget);

/// Epsilon and momentum of every module inside one that has running statistics, or a BatchNorm's class, as its
/// attributes tell them. Errors  as module_tensors.
[[nodiscard]] std::vector<NormSettings> norm_settings(const pickle::Heap& heap, pickle::Id module);

}  // namespace shiftnorm::formats
