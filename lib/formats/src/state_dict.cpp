#include "state_dict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "budget.hpp"
#include "module_tree.hpp"
#include "opaque_values.hpp"
#include "pickle_names.hpp"
#include "pickle_places.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap, pickle::Id;

// What trainers call the weights, the likelier first. Of two in one file the first is what their authors'
// own evaluation loads by default (docs/formats.md, decision 0036):
//   state_dict, model       before their `_ema`: timm's validate.py, torchvision's and DeiT's --test-only and --eval
//   ema                     before model: YOLOv5 to v8, RT-DETR, DiT
//   params_ema, g_ema       before params, generator: BasicSR and Real-ESRGAN, StyleGAN
//   teacher                 before student: DINO's eval_*.py, mean teachers
//   encoder_q, online       before encoder_k, target: MoCo, BYOL
constexpr std::array<std::string_view, 38> kWeights{"state_dict",
                                                    "model_state_dict",
                                                    "model_state",
                                                    "network_weights",
                                                    "ema",
                                                    "model",
                                                    "net",
                                                    "network",
                                                    "module",
                                                    "weights",
                                                    "params_ema",
                                                    "params",
                                                    "model_dict",
                                                    "net_state_dict",
                                                    "g_ema",
                                                    "G_ema",
                                                    "generator",
                                                    "g",
                                                    "G",
                                                    "teacher",
                                                    "teacher_state_dict",
                                                    "student",
                                                    "student_state_dict",
                                                    "encoder_q",
                                                    "online_network",
                                                    "online_network_state_dict",
                                                    "online_encoder",
                                                    "online",
                                                    "state_dict_ema",
                                                    "ema_state_dict",
                                                    "model_ema",
                                                    "ema_model",
                                                    "model_ema_state_dict",
                                                    "encoder_k",
                                                    "target_network",
                                                    "target_network_state_dict",
                                                    "target_encoder",
                                                    "target"};
// Parts of names under which tensors are not weights.
constexpr std::array<std::string_view, 6> kOtherContents{"optim", "sched", "scaler", "rng", "param_groups", "callback"};
constexpr std::size_t kUnnamed = kWeights.size(), kMaxRanks = 8, kMaxCandidates = 4096, kMaxOtherSets = 64;
constexpr std::size_t kShownKeys = 12;

struct Candidate {
  Id id = 0;                       // of a dict, an object of a dict's class or a module
  std::size_t tensors = 0;         // of a dict
  bool vectors = false;            // holds tensors that are more than single numbers, and are read
  std::vector<std::size_t> ranks;  // of the names on its path that kWeights has; kUnnamed: none
  std::size_t depth = 0;
  std::string path;
  bool again = false;  // seen before under another name

  /// Smaller is likelier.
  [[nodiscard]] auto likelihood() const { return std::tie(ranks, depth); }
  [[nodiscard]] bool better_than(const Candidate& other) const {
    if (vectors != other.vectors) return vectors;
    if (likelihood() != other.likelihood()) return likelihood() < other.likelihood();
    return tensors > other.tensors;
  }
};

bool holds_other_things(std::string_view name) {
  return std::any_of(kOtherContents.begin(), kOtherContents.end(),
                     [name](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

std::vector<std::size_t> ranks_of(const std::vector<Place>& places, std::size_t place) {
  std::vector<std::size_t> ranks;
  for (std::size_t at = place; places[at].parent != at; at = places[at].parent)
    if (const auto* const row = std::find(kWeights.begin(), kWeights.end(), places[at].name); row != kWeights.end())
      ranks.push_back(static_cast<std::size_t>(row - kWeights.begin()));
  std::reverse(ranks.begin(), ranks.end());
  if (ranks.size() > kMaxRanks) ranks.resize(kMaxRanks);
  if (ranks.empty()) ranks.push_back(kUnnamed);
  return ranks;
}

bool is_vector(const Heap& heap, Id id) {
  const pickle::TensorRef* tensor = dense_tensor(heap, id);
  return tensor != nullptr && !heap.tensor(*tensor).sizes.empty();
}

bool has_param_groups(const Heap& heap, const pickle::Dict* dict) {
  return dict != nullptr && heap.find(*dict, "param_groups") != nullptr;
}

/// Whether a value is an optimizer, or its state.
bool is_optimizer(const Heap& heap, Id id) {
  return has_param_groups(heap, heap.dict(id)) || has_param_groups(heap, heap.attributes(id));
}

/// A value as a candidate, without its place; nothing if it is none.
std::optional<Candidate> candidate_at(const Heap& heap, Id id) {
  Candidate candidate;
  candidate.id = id;
  if (is_module(heap, id)) {
    candidate.vectors = true;
    return candidate;
  }
  const pickle::Dict* dict = heap.dict(id);
  if (dict == nullptr || is_optimizer(heap, id)) return std::nullopt;
  for (const auto& [key, value] : dict->items) {
    if (heap.get<std::string>(key) == nullptr || !stands_for_tensor(heap, value)) continue;
    ++candidate.tensors;
    candidate.vectors = candidate.vectors || is_vector(heap, value);
  }
  if (2 * candidate.tensors <= dict->items.size()) return std::nullopt;
  return candidate;
}

std::vector<Candidate> candidates_in(const Heap& heap, Id root) {
  const std::vector<Place> places = places_in(
      heap, root,
      [&heap](const Place& place) {
        return heap.get<pickle::TensorRef>(place.id) == nullptr && !holds_other_things(place.name);
      },
      [&heap](Id id) { return !is_module(heap, id) && !is_optimizer(heap, id) && !stands_for_tensor(heap, id); });
  std::vector<Candidate> candidates;
  std::unordered_map<Id, std::size_t> candidate_of;
  for (std::size_t i = 0; i < places.size() && candidates.size() < kMaxCandidates; ++i) {
    std::optional<Candidate> found;
    if (!places[i].again)
      found = candidate_at(heap, places[i].id);
    else if (const auto known = candidate_of.find(places[i].id); known != candidate_of.end())
      found = candidates[known->second];
    if (!found) continue;
    found->depth = places[i].depth;
    found->ranks = ranks_of(places, i);
    found->path = path_of(places, i);
    found->again = places[i].again;
    candidate_of.emplace(found->id, candidates.size());
    candidates.push_back(std::move(*found));
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

std::vector<std::pair<std::string, Id>> tensors_of(const Heap& heap, const pickle::Dict& dict) {
  std::vector<std::pair<std::string, Id>> tensors;
  std::unordered_map<std::string_view, std::size_t> place_of;
  for (const auto& [key, value] : dict.items) {
    const auto* name = heap.get<std::string>(key);
    if (name == nullptr || !stands_for_tensor(heap, value)) continue;
    const auto [at, is_new] = place_of.try_emplace(*name, tensors.size());
    if (is_new)
      tensors.emplace_back(*name, value);
    else
      tensors[at->second].second = value;
  }
  return tensors;
}

/// Those under the wanted name, or else under the longest part of it that is a path; the rest is not a path.
std::pair<std::vector<const Candidate*>, std::string> matching(const std::vector<Candidate>& candidates,
                                                               std::string_view wanted) {
  const auto below = [](std::string_view path, std::string_view start) {
    return start.empty() || path == start || (path.starts_with(start) && path[start.size()] == '.');
  };
  std::string_view path = wanted;
  for (std::vector<const Candidate*> found; !path.empty(); path = path.substr(0, path.rfind('.'))) {
    for (const Candidate& candidate : candidates)
      if (below(candidate.path, path)) found.push_back(&candidate);
    if (!found.empty()) return {std::move(found), std::string(wanted.substr(std::min(path.size() + 1, wanted.size())))};
    if (path.find('.') == std::string_view::npos) break;
  }
  std::vector<const Candidate*> all;
  all.reserve(candidates.size());
  for (const Candidate& candidate : candidates) all.push_back(&candidate);
  return {std::move(all), std::string(wanted)};
}

using Tensors = std::vector<std::pair<std::string, Id>>;

/// torch.nn.Module.state_dict() keeps every module's version, also of those without tensors.
std::vector<ModuleName> modules_of(const Heap& heap, const pickle::Dict& dict) {
  std::vector<ModuleName> modules;
  std::unordered_set<std::string_view> seen;  // a text of the file may be the key of any number of items
  const pickle::Dict* state = heap.dict(dict.state);
  const std::optional<Id> id = state == nullptr ? std::nullopt : heap.find_id(*state, "_metadata");
  if (const pickle::Dict* metadata = id ? heap.dict(*id) : nullptr)
    for (const auto& [key, version] : metadata->items)
      if (const auto* name = heap.get<std::string>(key); name != nullptr && seen.insert(*name).second)
        modules.push_back({*name, {}});
  return modules;
}

bool same_names(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

/// `asked`: the user named the set. Otherwise the choice is ambiguous where another set lies as the best one does
/// and holds the same names.
WeightSets sets_of(const Heap& heap, const std::vector<Candidate>& candidates, const Candidate& best,
                   const Tensors& tensors, bool asked) {
  WeightSets sets{best.path, {}, true};
  Budget budget("pickle: its sets of weights name more tensors than any real network has");
  for (const Candidate& other : candidates) {
    if (other.id == best.id || !other.vectors) continue;
    if (sets.others.size() < kMaxOtherSets) sets.others.push_back(other.path);
    if (asked || !sets.told || other.again || other.likelihood() != best.likelihood() || other.tensors != best.tensors)
      continue;
    const pickle::Dict* dict = heap.dict(other.id);
    if (dict != nullptr) budget.spend(dict->items.size());
    if (same_names(tensors, dict == nullptr ? module_tensors(heap, other.id, budget) : tensors_of(heap, *dict)))
      sets.told = false;
  }
  return sets;
}

[[noreturn]] void refuse(const Heap& heap, Id root) {
  const bool dict = heap.dict(root) != nullptr || heap.get<pickle::Sequence>(root) != nullptr;
  if (const std::string_view stranger = heap.first_unknown_class(); !dict && !stranger.empty())
    pickle::refuse_name(stranger);
  throw FormatError(fmt::format("holds {}; expected a state_dict: a dict, nested or not, whose values are tensors",
                                describe(heap, root)));
}

}  // namespace

StateDict find_state_dict(const Heap& heap, Id root, std::string_view wanted) {
  const std::vector<Candidate> candidates = candidates_in(heap, root);
  if (candidates.empty()) refuse(heap, root);
  const auto [matches, rest] = matching(candidates, wanted);
  const Candidate& best = **std::min_element(matches.begin(), matches.end(),
                                             [](const Candidate* a, const Candidate* b) { return a->better_than(*b); });
  StateDict found;
  found.rest = rest;
  if (is_module(heap, best.id)) found.module = best.id;
  found.tensors = found.module ? module_tensors(heap, best.id) : tensors_of(heap, *heap.dict(best.id));
  if (!found.module) found.modules = modules_of(heap, *heap.dict(best.id));
  found.sets = sets_of(heap, candidates, best, found.tensors, rest.size() < wanted.size());
  return found;
}

}  // namespace shiftnorm::formats
