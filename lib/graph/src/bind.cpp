#include "shiftnorm/graph/bind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::graph {
namespace {

/// Wrappings that trainers put before every name: DataParallel, Lightning, wrappers that nest a state_dict.
constexpr std::array<std::string_view, 6> kPrefixes{"module.", "model.",   "state_dict.",
                                                    "net.",    "network.", "backbone."};

bool counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

/// The name with `prefixes` wrappings removed as often as every tensor of the file carries them.
std::vector<std::string> unwrapped(std::span<const NamedSource> tensors) {
  std::vector<std::string> names;
  for (const NamedSource& t : tensors) names.push_back(t.name);
  for (bool stripped = true; stripped && !names.empty();) {
    stripped = false;
    for (const std::string_view prefix : kPrefixes) {
      if (!std::all_of(names.begin(), names.end(), [&](const std::string& n) { return n.starts_with(prefix); }))
        continue;
      for (std::string& name : names) name.erase(0, prefix.size());
      stripped = true;
    }
  }
  return names;
}

std::string nearest_shape(const Shape& wanted, std::span<const NamedSource> tensors) {
  for (const NamedSource& t : tensors)
    if (t.shape == wanted) return fmt::format("; '{}' has that shape", t.name);
  return "";
}

/// Takes those from `missing` that `otherwise` has values for.
void bind_constants(Graph& graph, std::span<const NamedSource> otherwise, std::vector<std::string>& missing) {
  for (const ValueId id : graph.parameters()) {
    Value& value = graph.value(id);
    if (value.tensor) continue;
    const auto source = std::find_if(otherwise.begin(), otherwise.end(), [&](const NamedSource& one) {
      return one.name == value.name && one.shape == *value.shape;
    });
    if (source == otherwise.end()) continue;
    value.tensor = Tensor(*source->values);
    std::erase(missing, value.name);
  }
}

}  // namespace

Binding bind(Graph& graph, std::span<const NamedSource> tensors, std::span<const NamedSource> otherwise) {
  const std::vector<std::string> names = unwrapped(tensors);
  std::unordered_map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!by_name.try_emplace(names[i], i).second)
      throw FormatError(fmt::format("tensor '{}' appears twice once its prefixes are undone", printable(names[i])));
  }
  Binding binding;
  std::vector<bool> used(tensors.size(), false);
  std::vector<std::string> missing, wrong;
  for (const ValueId id : graph.parameters()) {
    Value& value = graph.value(id);
    if (value.tensor) continue;  // a constant of the architecture
    const auto it = by_name.find(value.name);
    if (it == by_name.end()) {
      missing.push_back(value.name);
      continue;
    }
    const NamedSource& source = tensors[it->second];
    used[it->second] = true;
    if (source.shape != *value.shape) {
      wrong.push_back(fmt::format("'{}' is {}, expected {}{}", printable(source.name), source.shape.text(),
                                  value.shape->text(), nearest_shape(*value.shape, tensors)));
      continue;
    }
    if (!is_floating(source.values->dtype()))
      throw FormatError(fmt::format("tensor '{}' holds {}; expected floating-point numbers", printable(source.name),
                                    name_of(source.values->dtype())));
    value.tensor = Tensor(*source.values);
    binding.pairs.emplace_back(id, it->second);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!used[i] && !counter(names[i])) binding.left_over.push_back(printable(tensors[i].name));
  if (!missing.empty() && binding.left_over.empty()) bind_constants(graph, otherwise, missing);
  if (!missing.empty() || !wrong.empty()) {
    std::string text = "the file does not fit the architecture";
    if (!missing.empty()) text += fmt::format(": {} missing ({})", missing.size(), join(missing, 4));
    if (!wrong.empty())
      text += fmt::format("{} {} with another shape ({})", missing.empty() ? ":" : ",", wrong.size(), join(wrong, 2));
    if (!binding.left_over.empty())
      text += fmt::format(", {} left over ({})", binding.left_over.size(), join(binding.left_over, 4));
    throw FormatError(text);
  }
  return binding;
}

}  // namespace shiftnorm::graph
