#include "module_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "budget.hpp"
#include "opaque_values.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: torch/nn/modules/module.py, whose objects keep everything in the dicts _parameters, _buffers and _modules;
// torch/csrc/jit/serialization/export_module.cpp, whose objects keep all of it in one.
namespace shiftnorm::formats {
namespace {

using pickle::Dict, pickle::Heap, pickle::Id;

constexpr std::size_t kMaxDepth = 64;
constexpr std::string_view kTorchScript = "__torch__.";

const Dict* part(const Heap& heap, Id module, std::string_view name) {
  const Dict* attributes = heap.attributes(module);
  const auto id = attributes == nullptr ? std::nullopt : heap.find_id(*attributes, name);
  return id ? heap.dict(*id) : nullptr;
}

std::vector<std::string_view> transient_buffers(const Heap& heap, Id module) {
  std::vector<std::string_view> names;
  const auto id = heap.find_id(*heap.attributes(module), "_non_persistent_buffers_set");
  if (const auto* set = id ? heap.get<pickle::Sequence>(*id) : nullptr)
    for (const Id item : set->items)
      if (const auto* name = heap.get<std::string>(item)) names.push_back(*name);
  return names;
}

/// What it takes to look through one module.
std::size_t size_of_module(const Heap& heap, Id module) {
  std::size_t size = 4 * heap.attributes(module)->items.size();
  for (const std::string_view name : {"_parameters", "_buffers", "_modules"})
    if (const Dict* dict = part(heap, module, name)) size += dict->items.size();
  return size;
}

template <class Found>
void each_tensor(const Heap& heap, const Dict* dict, const Found& found) {
  if (dict == nullptr) return;
  for (const auto& [key, value] : dict->items) {
    const auto* name = heap.get<std::string>(key);
    if (name != nullptr && stands_for_tensor(heap, value)) found(*name, value);
  }
}

template <class Found>
void each_own_tensor(const Heap& heap, Id module, const Found& found) {
  if (is_torch_script(heap, module)) return each_tensor(heap, heap.attributes(module), found);
  each_tensor(heap, part(heap, module, "_parameters"), found);
  const std::vector<std::string_view> transient = transient_buffers(heap, module);
  each_tensor(heap, part(heap, module, "_buffers"), [&](const std::string& name, Id tensor) {
    if (std::find(transient.begin(), transient.end(), name) == transient.end()) found(name, tensor);
  });
}

/// A module that holds another one twice multiplies what is below, and names grow with depth.
constexpr const char* kTooMuch = "pickle: the tree of its modules names more than any network has";

/// Calls `found(module, prefix)` for a module and all inside it, parents first; a prefix ends with a dot.
template <class Found>
void each_module(const Heap& heap, Id root, Budget& budget, const Found& found) {
  struct Place {
    Id id;
    std::string prefix;
    std::size_t depth;
  };
  std::vector<Place> places{{root, "", 0}};
  while (!places.empty()) {
    const Place place = std::move(places.back());
    places.pop_back();
    if (place.depth > kMaxDepth)
      throw FormatError(
          fmt::format("module '{}': lies more than {} modules deep", printable(place.prefix, 40), kMaxDepth));
    budget.spend(size_of_module(heap, place.id));
    found(place.id, place.prefix);
    const auto inner = children(heap, place.id);
    for (auto child = inner.rbegin(); child != inner.rend(); ++child) {
      budget.spend(place.prefix.size() + child->first.size());
      places.push_back({child->second, place.prefix + child->first + ".", place.depth + 1});
    }
  }
}

std::optional<double> number_of(const Heap& heap, Id module, std::string_view name) {
  const auto id = heap.find_id(*heap.attributes(module), name);
  if (!id) return std::nullopt;
  if (const auto* whole = heap.get<std::int64_t>(*id)) return static_cast<double>(*whole);
  const auto* number = heap.get<double>(*id);
  return number == nullptr ? std::nullopt : std::optional(*number);
}

/// The numbers of one module, where they can be a BatchNorm's.
NormSettings settings_of(const Heap& heap, Id module, const std::string& prefix) {
  NormSettings settings{prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1), number_of(heap, module, "eps"),
                        number_of(heap, module, "momentum")};
  const bool sound = (!settings.epsilon || (*settings.epsilon >= 0 && *settings.epsilon <= 1)) &&
                     (!settings.momentum || (*settings.momentum >= 0 && *settings.momentum <= 1));
  if (!sound)
    throw FormatError(fmt::format("module '{}': eps {} and momentum {}; expected numbers in [0, 1]",
                                  printable(settings.layer), settings.epsilon.value_or(0),
                                  settings.momentum.value_or(0)));
  return settings;
}

}  // namespace

bool is_torch_script(const Heap& heap, Id module) { return class_of(heap, module).starts_with(kTorchScript); }

bool has_module_state(const Heap& heap, Id object) {
  const std::string_view type = class_of(heap, object);
  const Dict* attributes = heap.attributes(object);
  if (type.empty() || attributes == nullptr) return false;
  if (type.starts_with(kTorchScript)) return true;
  constexpr std::array<std::string_view, 3> kParts{"_parameters", "_buffers", "_modules"};
  return std::all_of(kParts.begin(), kParts.end(), [&](std::string_view name) {
    const auto id = heap.find_id(*attributes, name);
    return id && heap.dict(*id) != nullptr;
  });
}

bool is_module(const Heap& heap, Id id) {
  const auto* object = heap.get<pickle::Object>(id);
  return object != nullptr && object->module;
}

std::string_view class_of(const Heap& heap, Id module) {
  const auto* object = heap.get<pickle::Object>(module);
  const auto* type = object == nullptr ? nullptr : heap.get<pickle::ClassName>(object->type);
  return type == nullptr ? std::string_view() : type->name;
}

std::vector<std::pair<std::string, Id>> children(const Heap& heap, Id module) {
  const Dict* modules = is_torch_script(heap, module) ? heap.attributes(module) : part(heap, module, "_modules");
  std::vector<std::pair<std::string, Id>> found;
  if (modules == nullptr) return found;
  for (const auto& [key, value] : modules->items)
    if (const auto* name = heap.get<std::string>(key); name != nullptr && is_module(heap, value))
      found.emplace_back(*name, value);
  return found;
}

std::vector<std::pair<std::string, Id>> modules_in(const Heap& heap, Id module) {
  std::vector<std::pair<std::string, Id>> modules;
  Budget budget(kTooMuch);
  each_module(heap, module, budget, [&](Id id, const std::string& prefix) {
    modules.emplace_back(prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1), id);
  });
  return modules;
}

std::vector<std::pair<std::string, Id>> module_tensors(const Heap& heap, Id module) {
  Budget budget(kTooMuch);
  return module_tensors(heap, module, budget);
}

std::vector<std::pair<std::string, Id>> module_tensors(const Heap& heap, Id module, Budget& budget) {
  std::vector<std::pair<std::string, Id>> tensors;
  each_module(heap, module, budget, [&](Id id, const std::string& prefix) {
    each_own_tensor(heap, id, [&](const std::string& name, Id tensor) {
      budget.spend(prefix.size() + name.size());
      tensors.emplace_back(prefix + name, tensor);
    });
  });
  return tensors;
}

std::vector<NormSettings> norm_settings(const Heap& heap, Id module) {
  std::vector<NormSettings> settings;
  Budget budget(kTooMuch);
  each_module(heap, module, budget, [&](Id id, const std::string& prefix) {
    bool norm = class_of(heap, id).find("BatchNorm") != std::string_view::npos;  // one without running statistics too
    each_own_tensor(heap, id, [&norm](const std::string& name, Id) { norm = norm || name == "running_var"; });
    if (!norm) return;
    budget.spend(prefix.size());
    settings.push_back(settings_of(heap, id, prefix));
  });
  return settings;
}

}  // namespace shiftnorm::formats
