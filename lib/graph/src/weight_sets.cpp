#include "shiftnorm/graph/weight_sets.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

namespace shiftnorm::graph {
namespace {

/// torch.compile, FSDP, checkpointing of activations, FairScale, DeepSpeed in Lightning, DataParallel.
constexpr std::array<std::string_view, 7> kWrappings{
    "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module", "_forward_module", "_module",
    "module"};

/// A hostile file may have names of a million dots.
constexpr std::size_t kMostParts = 64;

/// Calls `use` with each part, until it returns false.
template <class Use>
void each_part(std::string_view name, Use use) {
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (!use(name.substr(begin, end - begin))) return;
    begin = end + 1;
  }
}

/// Walks from a name's end to its front: `use(prefix, rest)` for every rest that begins with a part of its own, the
/// wrappings inside of it undone.
template <class Use>
void each_split(std::string_view name, const Wrappings& wrappings, std::size_t longest, Use use) {
  std::string rest;
  std::size_t end = name.size();
  for (std::size_t parts = 0; parts < kMostParts; ++parts) {
    const std::size_t dot = end == 0 ? std::string_view::npos : name.rfind('.', end - 1);
    const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
    const std::string_view part = name.substr(begin, end - begin);
    if (rest.empty() || !wrappings.wraps(part)) {
      if (part.size() + rest.size() + 1 > longest + 1) return;
      rest.insert(0, rest.empty() ? std::string(part) : std::string(part) + '.');
      use(name.substr(0, begin), rest);
    }
    if (begin == 0) return;
    end = dot;
  }
}

}  // namespace

Wrappings::Wrappings(std::span<const std::string> parameters) : parts_(kWrappings.begin(), kWrappings.end()) {
  for (const std::string& name : parameters)
    each_part(name, [this](std::string_view part) {
      std::erase(parts_, part);
      return true;
    });
}

bool Wrappings::wraps(std::string_view part) const {
  return std::find(parts_.begin(), parts_.end(), part) != parts_.end();
}

std::string Wrappings::undone(std::string_view name) const {
  std::string out;
  std::size_t left = name.size();
  each_part(name, [&](std::string_view part) {
    left -= std::min(left, part.size() + 1);
    if (left > 0 && wraps(part)) return true;  // the last part is what a tensor is called itself
    if (!out.empty()) out += '.';
    out += part;
    return true;
  });
  return out;
}

std::optional<std::string> Wrappings::behind(std::string_view prefix, std::string_view name) const {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (const std::size_t dot = name.find('.'); dot != std::string_view::npos && wraps(name.substr(0, dot)))
    return std::nullopt;
  return undone(name);
}

std::vector<WeightSet> weight_sets(std::span<const std::string> wanted, std::span<const std::string> tensors,
                                   const Wrappings& wrappings) {
  std::size_t longest = 0;
  std::unordered_set<std::string_view> known;
  for (const std::string& name : wanted) {
    known.insert(name);
    longest = std::max(longest, name.size());
  }
  std::vector<WeightSet> sets;
  std::unordered_map<std::string, std::size_t> place_of;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    each_split(tensors[i], wrappings, longest, [&](std::string_view prefix, const std::string& rest) {
      if (!known.contains(rest)) return;
      const auto [at, is_new] = place_of.try_emplace(std::string(prefix), sets.size());
      if (is_new) sets.push_back({std::string(prefix), 0, i});
      ++sets[at->second].parameters;
    });
  return sets;
}

std::vector<std::string> unbound_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.parameters())
    if (const Value& value = graph.value(id); !value.tensor && !value.name.empty()) names.push_back(value.name);
  return names;
}

}  // namespace shiftnorm::graph
