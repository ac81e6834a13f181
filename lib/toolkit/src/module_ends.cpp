#include "module_ends.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::Checkpoint, formats::ModuleChain, formats::ModuleName;

constexpr std::array<std::string_view, 3> kActivations{"Sigmoid", "LogSoftmax", "Softmax"};

/// A module's path as the network names it; nothing for one that is not the network's.
std::optional<std::string> own_path(const graph::Wrappings& wrappings, const std::string& prefix,
                                    const std::string& path) {
  constexpr std::string_view kLeaf = ".x";  // the last part of a tensor's name is never a wrapping
  std::optional<std::string> name = wrappings.behind(prefix, path + std::string(kLeaf));
  if (!name || name->size() <= kLeaf.size()) return std::nullopt;
  name->resize(name->size() - kLeaf.size());
  return name;
}

/// For a file that has classes, by class; for a state_dict, which has names, by name.
std::string_view activation_of(const ModuleName& module) {
  const std::string_view name = std::string_view(module.path).substr(module.path.rfind('.') + 1);
  for (const std::string_view one : kActivations) {
    const bool of_torch = module.type.find("torch.nn.modules.activation.") != std::string::npos;
    if (of_torch && module.type.ends_with(fmt::format(".{}", one))) return one;
    if (module.type.empty() && lower_case(std::string(name)) == lower_case(std::string(one))) return one;
  }
  return {};
}

/// Whether the module is in the network itself, or in a module around it.
bool beside(const std::string& path, const std::string& prefix) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos || prefix.starts_with(path.substr(0, dot + 1));
}

std::vector<const ModuleChain*> ends_around(const Checkpoint& checkpoint, const std::string& prefix) {
  std::vector<const ModuleChain*> ends;
  for (const ModuleChain& chain : checkpoint.chains)
    if (chain.behind && prefix.starts_with(chain.path + ".")) ends.push_back(&chain);
  std::ranges::stable_sort(ends, std::greater<>(), [](const ModuleChain* end) { return end->path.size(); });
  return ends;
}

/// The Sequential that contains a module of this path, and a dot.
std::string_view around(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot + 1);
}

}  // namespace

void hold_modules(const Checkpoint& checkpoint, const graph::Wrappings& wrappings, const std::string& prefix,
                  zoo::HeldShapes& held) {
  for (const ModuleName& module : checkpoint.modules)
    if (auto path = own_path(wrappings, prefix, module.path)) held.add_module(std::move(*path));
  for (const ModuleChain& chain : checkpoint.chains) {
    const std::optional<std::string> path = chain.behind ? std::nullopt : own_path(wrappings, prefix, chain.path);
    if (!path) continue;
    zoo::HeldChain& one = held.add_chain(*path);
    for (const ModuleName& layer : chain.layers) one.layers.emplace_back(layer.path, layer.type);
    one.add = [add = &chain.add, path = *path](graph::Graph& graph, graph::ValueId x) {
      return (*add)(graph, x, path);
    };
  }
}

void add_ends(BoundNetwork& network, const Checkpoint& checkpoint, const std::string& prefix) {
  std::vector<std::string> applied;
  for (const ModuleChain* end : ends_around(checkpoint, prefix)) {
    const std::string_view place = around(end->path);
    const graph::ValueId last = end->add(network.graph, network.graph.outputs().at(0), std::string(place));
    network.graph.set_outputs({last});
    for (const ModuleName& layer : end->layers) {
      applied.push_back(std::string(place) + layer.path);
      network.report.assumptions.push_back(
          fmt::format("module '{}' ({}) follows the network and is applied", printable(applied.back()), layer.type));
    }
  }
  for (const ModuleName& module : checkpoint.modules) {
    const std::string_view activation = activation_of(module);
    if (activation.empty() || !beside(module.path, prefix) || std::ranges::find(applied, module.path) != applied.end())
      continue;
    network.report.assumptions.push_back(
        fmt::format("module '{}' is a {}, and nothing in the file says where it is used: assumed unused; --graph with "
                    "the network as ONNX would show it",
                    printable(module.path), activation));
  }
}

}  // namespace shiftnorm::toolkit
