#include "module_chains.hpp"

#include <optional>
#include <string>
#include <utility>

#include "module_layers.hpp"
#include "module_tree.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::formats {
namespace {

using graph::ValueId;
using pickle::Heap, pickle::Id;

constexpr std::size_t kLongestType = 200;

std::string below(const std::string& path, const std::string& name) {
  return path.empty() || name.empty() ? path + name : path + "." + name;
}

ValueId put_behind(graph::Graph& graph, ValueId x, std::vector<StockLayer> layers, const std::string& path) {
  for (StockLayer& layer : layers) layer.name = below(path, layer.name);
  Chain chain{std::move(graph), x, 2};
  add_layers(chain, layers);
  graph = std::move(chain.graph);
  return chain.x;
}

/// Nothing where a layer takes no vectors.
std::optional<ModuleChain> chain_of(std::string path, bool behind, std::vector<StockLayer> layers) {
  if (layers.empty()) return std::nullopt;
  ModuleChain chain{std::move(path), behind, {}, {}};
  for (const StockLayer& layer : layers)
    chain.layers.push_back({layer.name, std::string(layer.type->name.substr(layer.type->name.rfind('.') + 1))});
  chain.add = [layers = std::move(layers)](graph::Graph& graph, ValueId x, const std::string& name) {
    return put_behind(graph, x, layers, name);
  };
  try {
    graph::Graph trial;
    (void)chain.add(trial, trial.add_input("x", Shape{1, 1}), "trial");
    return chain;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// What comes last in a Sequential, has no tensors and follows a module that is not a stock layer.
std::optional<ModuleChain> end_of(const Heap& heap, const std::string& path, Id sequential, Budget& budget) {
  const auto inner = children(heap, sequential);
  budget.spend(inner.size());
  std::vector<StockLayer> layers;
  for (auto child = inner.rbegin(); child != inner.rend(); ++child) {
    std::vector<StockLayer> one;
    if (find_stock_layer(class_of(heap, child->second)) == nullptr)
      return chain_of(below(path, child->first), true, std::move(layers));
    if (read_layers(heap, child->second, budget, one) || !one.front().tensors.empty()) break;
    one.front().name = child->first;
    layers.insert(layers.begin(), std::move(one.front()));
  }
  return std::nullopt;
}

}  // namespace

std::vector<ModuleName> module_names(const Heap& heap, Id module) {
  std::vector<ModuleName> names;
  for (const auto& [path, id] : modules_in(heap, module)) {
    const std::string_view type = class_of(heap, id);  // one text of the file may be the class of any number
    names.push_back({path, std::string(type.size() <= kLongestType ? type : std::string_view())});
  }
  return names;
}

std::vector<ModuleChain> module_chains(const Heap& heap, Id module) {
  std::vector<ModuleChain> chains;
  if (is_torch_script(heap, module)) return chains;
  Budget budget(kTooManyLayers);
  std::string outer;  // the chain that was found last, and a dot
  for (const auto& [path, id] : modules_in(heap, module)) {
    if (class_of(heap, id) != kSequential || (!outer.empty() && path.starts_with(outer))) continue;
    std::vector<StockLayer> layers;
    const bool whole = !read_layers(heap, id, budget, layers);
    auto chain = whole ? chain_of(path, false, std::move(layers)) : end_of(heap, path, id, budget);
    if (!chain) continue;
    if (whole) outer = path + ".";
    chains.push_back(std::move(*chain));
  }
  return chains;
}

}  // namespace shiftnorm::formats
