#include "bound_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>

#include "conventions.hpp"
#include "left_over.hpp"
#include "module_ends.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/weight_sets.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::Checkpoint, formats::NamedTensor;
using ModernName = decltype(zoo::Architecture::modern_name);

/// The tensors' names as the architecture spells them.
std::vector<std::string> names_of(const Checkpoint& checkpoint, ModernName modern_name = nullptr) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : checkpoint.tensors)
    names.push_back(modern_name != nullptr ? modern_name(tensor.name) : tensor.name);
  return names;
}

std::vector<graph::NamedSource> sources_of(const std::vector<NamedTensor>& tensors,
                                           std::span<const std::string> names) {
  std::vector<graph::NamedSource> sources;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    sources.push_back({names[i], tensors[i].values.shape(), &tensors[i].values});
  return sources;
}

/// A file in which no BatchNorm has statistics was made so; a file that lacks some of them is damaged. What is not
/// there becomes NaN: neither zeros nor ones replace it.
bool fill_absent_statistics(graph::Graph& graph, const zoo::HeldShapes& held) {
  if (std::ranges::any_of(held.all(), [](const auto& tensor) { return batch_norm_tensor(tensor.first); })) return false;
  for (const graph::BatchNorm& layer : graph::batch_norms(graph))
    for (const graph::ValueId id : {layer.mean, layer.variance}) {
      graph::Value& value = graph.value(id);
      value.tensor = Tensor(*value.shape, std::vector<float>(static_cast<std::size_t>(layer.channels),
                                                             std::numeric_limits<float>::quiet_NaN()));
    }
  return true;
}

/// What every file of the architecture has, whatever its head is.
std::vector<std::string> names_before_head(const zoo::Architecture& known) {
  std::vector<std::string> names = graph::unbound_names(known.build({}));
  const std::string head = std::string(known.head) + ".";
  std::erase_if(names, [&head](const std::string& name) { return name.starts_with(head); });
  return names;
}

zoo::HeldShapes held_shapes(const Checkpoint& checkpoint, std::span<const std::string> names,
                            const graph::Wrappings& wrappings, const std::string& prefix) {
  zoo::HeldShapes held;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (std::optional<std::string> name = wrappings.behind(prefix, names[i]))
      held.add(std::move(*name), checkpoint.tensors[i].values.shape());
  hold_modules(checkpoint, wrappings, prefix, held);
  return held;
}

zoo::BuildOptions build_options(const zoo::Architecture& known, const zoo::HeldShapes& held,
                                const std::optional<Shape>& image, zoo::BuildReport& report) {
  zoo::BuildOptions options;
  options.held = &held;
  options.report = &report;
  if (const Shape* stem = held.find(known.stem); stem != nullptr && stem->rank() > 1) options.channels = (*stem)[1];
  if (image) {
    options.height = (*image)[1];
    options.width = (*image)[2];
  }
  return options;
}

/// `wanted`: names of parameters; `head`: what is behind it belongs to the network too, whatever its names are.
/// Errors  UnsupportedError naming the first tensor of the network that the file has in a form that is not read.
void refuse_unread(const Checkpoint& checkpoint, std::span<const std::string> wanted, const graph::Wrappings& wrappings,
                   std::string_view head, const std::string& prefix, ModernName modern_name = nullptr) {
  if (checkpoint.unread.empty()) return;
  const std::set<std::string_view> parameters(wanted.begin(), wanted.end());
  for (const formats::Unread& unread : checkpoint.unread) {
    const auto name = wrappings.behind(prefix, modern_name != nullptr ? modern_name(unread.name) : unread.name);
    if (!name) continue;
    const bool of_head = !head.empty() && name->starts_with(fmt::format("{}.", head));
    if (of_head || parameters.contains(*name))
      throw UnsupportedError(fmt::format("tensor '{}': {}", printable(unread.name), unread.why));
  }
}

std::vector<float> thresholds_of(const Checkpoint& checkpoint, std::span<const std::string> names,
                                 const std::string& name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return {};
  return checkpoint.tensors[static_cast<std::size_t>(at - names.begin())].values.to_float();
}

/// Names of the integers that the description spells itself (axes, starts): a model of the same network holds them too.
std::set<std::string_view> spelled_integers(const graph::Graph& graph) {
  std::set<std::string_view> names;
  for (std::size_t id = 0; id < graph.values(); ++id)
    if (const graph::Value& value = graph.value(static_cast<graph::ValueId>(id)); value.integers)
      names.insert(value.name);
  return names;
}

}  // namespace

bool batch_norm_tensor(std::string_view name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

BoundNetwork bind_zoo(const Checkpoint& checkpoint, const zoo::Architecture& known,
                      std::span<const std::string> allow_unused, const std::optional<Shape>& image) {
  const std::vector<std::string> names = names_of(checkpoint, known.modern_name), wanted = names_before_head(known);
  const graph::Wrappings wrappings(wanted);
  BoundNetwork network;
  network.choice = choose_weights(checkpoint, names, wanted, wrappings);
  const std::string& prefix = network.choice.prefix;
  refuse_unread(checkpoint, wanted, wrappings, known.head, prefix, known.modern_name);
  const zoo::HeldShapes held = held_shapes(checkpoint, names, wrappings, prefix);
  zoo::BuildOptions options = build_options(known, held, image, network.report);
  const std::string thresholds = prefix + std::string(known.thresholds);
  if (!known.thresholds.empty()) options.thresholds = thresholds_of(checkpoint, names, thresholds);
  network.graph = zoo::build(known, options);
  add_ends(network, checkpoint, prefix);
  network.statistics = !fill_absent_statistics(network.graph, held);
  network.binding = graph::bind(network.graph, sources_of(checkpoint.tensors, names), prefix);
  if (!options.thresholds.empty())
    std::erase_if(network.binding.left_over, [&](std::size_t i) { return names[i] == thresholds; });
  check_left_over(checkpoint, names, network.binding, network.choice, allow_unused);
  keep_conventions(network.graph, checkpoint, network.binding);
  return network;
}

graph::Binding bind_description(graph::Graph& graph, const Checkpoint& checkpoint,
                                const std::vector<NamedTensor>& otherwise, std::span<const std::string> allow_unused,
                                WeightChoice& choice) {
  const std::vector<std::string> names = names_of(checkpoint);
  const std::vector<std::string> wanted = graph::unbound_names(graph);
  const graph::Wrappings wrappings(wanted);
  choice = choose_weights(checkpoint, names, wanted, wrappings);
  refuse_unread(checkpoint, wanted, wrappings, {}, choice.prefix);
  std::vector<graph::NamedSource> constants;
  constants.reserve(otherwise.size());
  for (const NamedTensor& tensor : otherwise) constants.push_back({tensor.name, tensor.values.shape(), &tensor.values});
  graph::Binding binding = graph::bind(graph, sources_of(checkpoint.tensors, names), choice.prefix, constants);
  const std::set<std::string_view> spelled = spelled_integers(graph);
  std::erase_if(binding.left_over, [&](std::size_t i) {
    return !is_floating(checkpoint.tensors[i].values.dtype()) && spelled.contains(names[i]);
  });
  check_left_over(checkpoint, names, binding, choice, allow_unused);
  keep_conventions(graph, checkpoint, binding);
  return binding;
}

}  // namespace shiftnorm::toolkit
