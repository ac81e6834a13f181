#include "state_dict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "module_tree.hpp"
#include "pickle_names.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap;
using pickle::Id;

// What trainers call the weights, the likelier first: averaged weights come after the network's own.
constexpr std::array<std::string_view, 16> kWeights{
    "state_dict", "model_state_dict", "model_state", "model",          "net",       "network",        "module",
    "weights",    "params",           "model_dict",  "net_state_dict", "generator", "state_dict_ema", "model_ema",
    "ema",        "teacher"};
// Parts of names under which tensors are no weights.
constexpr std::array<std::string_view, 5> kOthers{"optim", "sched", "scaler", "rng", "param_groups"};
constexpr std::size_t kUnnamed = kWeights.size();
constexpr std::size_t kShownKeys = 12;

struct Candidate {
  Id id;             // of a dict or a module
  std::size_t rank;  // place in kWeights of its own name, kUnnamed for any other
  std::size_t depth;
  std::size_t tensors;

  [[nodiscard]] bool better_than(const Candidate& other) const {
    if (rank != other.rank) return rank < other.rank;
    if (depth != other.depth) return depth < other.depth;
    return tensors > other.tensors;
  }
};

std::size_t rank_of(std::string_view name) {
  return static_cast<std::size_t>(std::find(kWeights.begin(), kWeights.end(), name) - kWeights.begin());
}

bool holds_other_things(std::string_view name) {
  return std::any_of(kOthers.begin(), kOthers.end(),
                     [name](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

std::size_t count_tensors(const Heap& heap, const pickle::Dict& dict) {
  return static_cast<std::size_t>(std::count_if(dict.items.begin(), dict.items.end(), [&heap](const auto& item) {
    return heap.get<std::string>(item.first) != nullptr && heap.get<pickle::TensorRef>(item.second) != nullptr;
  }));
}

/// Breadth first and without recursion: a file may nest its dicts as deep as it likes, and in circles.
std::vector<Candidate> candidates_in(const Heap& heap, Id root) {
  struct Place {
    Id id;
    std::size_t rank, depth;
  };
  std::vector<Candidate> candidates;
  std::vector<Place> places{{root, kUnnamed, 0}};
  std::unordered_set<Id> seen{root};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place place = places[i];
    if (is_module(heap, place.id)) {
      candidates.push_back({place.id, place.rank, place.depth, 1});
      continue;
    }
    const auto* dict = heap.get<pickle::Dict>(place.id);
    if (dict == nullptr || heap.find(*dict, "param_groups") != nullptr) continue;
    const std::size_t tensors = count_tensors(heap, *dict);
    if (2 * tensors > dict->items.size()) candidates.push_back({place.id, place.rank, place.depth, tensors});
    for (const auto& [key, value] : dict->items) {
      const auto* name = heap.get<std::string>(key);
      const bool container = heap.get<pickle::Dict>(value) != nullptr || is_module(heap, value);
      if (name == nullptr || !container || holds_other_things(*name)) continue;
      if (seen.insert(value).second) places.push_back({value, rank_of(*name), place.depth + 1});
    }
  }
  return candidates;
}

std::string describe(const Heap& heap, Id root) {
  const auto* dict = heap.get<pickle::Dict>(root);
  if (dict == nullptr) return heap.get<pickle::TensorRef>(root) != nullptr ? "a bare tensor" : "no dict";
  std::vector<std::string> keys;
  for (const auto& [key, value] : dict->items)
    if (const auto* name = heap.get<std::string>(key); name != nullptr) keys.push_back(printable(*name, 40));
  return keys.empty() ? "a dict without names" : "a dict of " + join(keys, kShownKeys);
}

std::vector<std::pair<std::string, pickle::TensorRef>> tensors_of(const Heap& heap, const pickle::Dict& dict) {
  std::vector<std::pair<std::string, pickle::TensorRef>> tensors;
  std::unordered_map<std::string_view, std::size_t> place_of;
  for (const auto& [key, value] : dict.items) {
    const auto* name = heap.get<std::string>(key);
    const auto* tensor = heap.get<pickle::TensorRef>(value);
    if (name == nullptr || tensor == nullptr) continue;
    const auto [at, is_new] = place_of.try_emplace(*name, tensors.size());
    if (is_new)
      tensors.emplace_back(*name, *tensor);
    else
      tensors[at->second].second = *tensor;
  }
  return tensors;
}

}  // namespace

StateDict find_state_dict(const Heap& heap, Id root) {
  const std::vector<Candidate> candidates = candidates_in(heap, root);
  // Classes have business only where modules are.
  const bool modules =
      std::any_of(candidates.begin(), candidates.end(), [&heap](const Candidate& c) { return is_module(heap, c.id); });
  if (const std::string_view stranger = heap.first_unknown_class(); !modules && !stranger.empty())
    pickle::refuse_name(stranger);
  if (candidates.empty())
    throw FormatError(fmt::format("holds {}; expected a state_dict: a dict, nested or not, whose values are tensors",
                                  describe(heap, root)));
  const Candidate& best = *std::min_element(candidates.begin(), candidates.end(),
                                            [](const Candidate& a, const Candidate& b) { return a.better_than(b); });
  if (const auto* dict = heap.get<pickle::Dict>(best.id)) return {tensors_of(heap, *dict), std::nullopt};
  return {module_tensors(heap, best.id), best.id};
}

}  // namespace shiftnorm::formats
