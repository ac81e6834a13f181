#include "shiftnorm/graph/bind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/weight_sets.hpp"

namespace shiftnorm::graph {
namespace {

constexpr std::size_t kShown = 2;  // of tensors with another shape, each with where its shape is

bool counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

std::string fullest_prefix(std::span<const std::string> wanted, std::span<const NamedSource> tensors,
                           const Wrappings& wrappings) {
  std::vector<std::string> names;
  for (const NamedSource& tensor : tensors) names.push_back(tensor.name);
  const std::vector<WeightSet> sets = weight_sets(wanted, names, wrappings);
  const auto fullest = std::max_element(
      sets.begin(), sets.end(), [](const WeightSet& a, const WeightSet& b) { return a.parameters < b.parameters; });
  return fullest == sets.end() ? std::string() : fullest->prefix;
}

/// Names behind the prefix, each with the place of its tensor.
std::unordered_map<std::string, std::size_t> by_name(std::span<const NamedSource> tensors, const std::string& prefix,
                                                     const Wrappings& wrappings) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::optional<std::string> name = wrappings.behind(prefix, tensors[i].name);
    if (name && !places.try_emplace(*name, i).second)
      throw FormatError(fmt::format("tensor '{}' appears twice once wrapper prefixes are removed", printable(*name)));
  }
  return places;
}

std::string nearest_shape(const Shape& wanted, std::span<const NamedSource> tensors) {
  for (const NamedSource& t : tensors)
    if (t.shape == wanted) return fmt::format("; '{}' has that shape", t.name);
  return "";
}

/// Takes those from `missing` that `otherwise` has values for.
void bind_constants(Graph& graph, std::span<const NamedSource> otherwise, std::vector<std::string>& missing) {
  std::unordered_map<std::string_view, const NamedSource*> by_name;
  for (const NamedSource& one : otherwise) by_name.emplace(one.name, &one);
  missing.clear();
  for (const ValueId id : graph.parameters()) {
    Value& value = graph.value(id);
    if (value.tensor) continue;
    const auto source = by_name.find(value.name);
    if (source == by_name.end() || source->second->shape != *value.shape)
      missing.push_back(value.name);
    else
      value.tensor = Tensor(*source->second->values);
  }
}

}  // namespace

Binding bind(Graph& graph, std::span<const NamedSource> tensors, const std::optional<std::string>& behind,
             std::span<const NamedSource> otherwise) {
  const std::vector<std::string> wanted = unbound_names(graph);
  const Wrappings wrappings(wanted);
  const std::string prefix = behind ? *behind : fullest_prefix(wanted, tensors, wrappings);
  const std::unordered_map<std::string, std::size_t> places = by_name(tensors, prefix, wrappings);
  Binding binding;
  std::vector<bool> used(tensors.size(), false);
  std::vector<std::string> missing, wrong;
  for (const ValueId id : graph.parameters()) {
    Value& value = graph.value(id);
    if (value.tensor) continue;  // a constant of the architecture
    const auto it = places.find(value.name);
    if (it == places.end()) {
      missing.push_back(value.name);
      continue;
    }
    const NamedSource& source = tensors[it->second];
    used[it->second] = true;
    if (source.shape != *value.shape) {
      wrong.push_back(fmt::format("'{}' is {}, expected {}{}", printable(source.name), source.shape.text(),
                                  value.shape->text(),
                                  wrong.size() < kShown ? nearest_shape(*value.shape, tensors) : ""));
      continue;
    }
    if (!is_floating(source.values->dtype()))
      throw FormatError(fmt::format("tensor '{}' holds {}; expected floating-point numbers", printable(source.name),
                                    name_of(source.values->dtype())));
    value.tensor = Tensor(*source.values);
    binding.pairs.emplace_back(id, it->second);
  }
  std::vector<std::string> near;  // of the same set
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (used[i] || counter(tensors[i].name)) continue;
    binding.left_over.push_back(i);
    if (tensors[i].name.starts_with(prefix)) near.push_back(printable(tensors[i].name));
  }
  if (!missing.empty() && wrong.empty() && near.empty()) bind_constants(graph, otherwise, missing);
  if (!missing.empty() || !wrong.empty()) {
    std::string text = "the file does not fit the architecture";
    if (!missing.empty()) text += fmt::format(": {} missing ({})", missing.size(), join(missing, 4));
    if (!wrong.empty())
      text +=
          fmt::format("{} {} with another shape ({})", missing.empty() ? ":" : ",", wrong.size(), join(wrong, kShown));
    if (!near.empty()) text += fmt::format(", {} left over ({})", near.size(), join(near, 4));
    throw FormatError(text);
  }
  return binding;
}

}  // namespace shiftnorm::graph
