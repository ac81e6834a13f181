#include "weight_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::experiment {
namespace {

using formats::Checkpoint, formats::NamedTensor, graph::WeightSet;

/// Words in a prefix that tell a set which an evaluation leaves aside, and whose.
struct Aside {
  std::string_view words, because;
};
constexpr std::array<Aside, 9> kAside{{{"encoder_k", "as MoCo's own evaluation does"},
                                       {"key_encoder", "as MoCo's own evaluation does"},
                                       {"momentum", "as MoCo v3's own evaluation does"},
                                       {"student", "as the evaluations of DINO and of mean teachers do"},
                                       {"target", "as BYOL's own evaluation does"},
                                       {"ema", "the network's own before an average of it"},
                                       {"shadow", "the network's own before an average of it"},
                                       {"swa", "the network's own before an average of it"},
                                       {"averaged", "the network's own before an average of it"}}};
constexpr std::size_t kShown = 8;

/// "_module_encoder_k_" of "module.encoder_k.", "_model_student_" of "modelStudent.".
std::string words_of(std::string_view prefix) {
  std::string words = "_";
  for (const char c : prefix) {
    const bool upper = c >= 'A' && c <= 'Z', parts = c == '.' || c == '_';
    if ((upper || parts) && words.back() != '_') words += '_';
    if (!parts) words += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words.back() == '_' ? words : words + '_';
}

std::vector<std::string_view> reasons_aside(std::string_view prefix) {
  const std::string words = words_of(prefix);
  std::vector<std::string_view> reasons;
  for (const Aside& one : kAside)
    if (words.find(fmt::format("_{}_", one.words)) != std::string::npos) reasons.push_back(one.because);
  return reasons;
}

/// A prefix as people write it.
std::string shown(const std::string& prefix) {
  return prefix.empty() ? "the one without a prefix" : printable(prefix.substr(0, prefix.size() - 1));
}

bool better(const WeightSet& a, const WeightSet& b) {
  const auto key = [](const WeightSet& set) {
    return std::tuple(reasons_aside(set.prefix).size(), std::ranges::count(set.prefix, '.'), set.first);
  };
  return key(a) < key(b);
}

/// The tensors behind a prefix by the rest of their names.
std::unordered_map<std::string_view, const NamedTensor*> behind(const Checkpoint& checkpoint,
                                                                std::span<const std::string> names,
                                                                std::string_view prefix) {
  std::unordered_map<std::string_view, const NamedTensor*> tensors;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].starts_with(prefix))
      tensors.emplace(std::string_view(names[i]).substr(prefix.size()), &checkpoint.tensors[i]);
  return tensors;
}

/// Whether every tensor of one set lies where the other's lies: a module under two names.
bool share_storage(const Checkpoint& checkpoint, std::span<const std::string> names, const WeightSet& a,
                   const WeightSet& b) {
  const auto of_a = behind(checkpoint, names, a.prefix), of_b = behind(checkpoint, names, b.prefix);
  return std::ranges::all_of(of_b, [&of_a](const auto& one) {
    const auto at = of_a.find(one.first);
    return at != of_a.end() && same_storage(*at->second, *one.second);
  });
}

const WeightSet& named_set(const Checkpoint& checkpoint, const std::vector<WeightSet>& sets, std::size_t most) {
  std::string given = checkpoint.weights;
  while (given.ends_with('.')) given.pop_back();
  std::vector<const WeightSet*> exact, ending;
  for (const WeightSet& set : sets) {
    if (set.prefix == given + ".") exact.push_back(&set);
    if (2 * set.parameters > most && set.prefix.ends_with("." + given + ".")) ending.push_back(&set);
  }
  if (!exact.empty()) return *exact.front();
  if (ending.size() == 1) return *ending.front();
  std::vector<std::string> there;
  for (const WeightSet& set : sets)
    if (2 * set.parameters > most) there.push_back(shown(set.prefix));
  throw ConfigError(fmt::format("{}: has no set of weights '{}'; expected {}", checkpoint.file_name,
                                printable(checkpoint.weights), join(there, kShown)));
}

}  // namespace

bool same_storage(const NamedTensor& a, const NamedTensor& b) {
  return a.origin && b.origin && a.origin->offset == b.origin->offset && a.origin->dtype == b.origin->dtype &&
         a.origin->strides == b.origin->strides && a.values.shape() == b.values.shape();
}

WeightChoice choose_weights(const Checkpoint& checkpoint, std::span<const std::string> names,
                            std::span<const std::string> wanted) {
  const std::vector<WeightSet> sets = graph::weight_sets(wanted, names, graph::Wrappings(wanted));
  WeightChoice choice;
  if (sets.empty()) {
    if (!checkpoint.weights.empty())
      throw ConfigError(fmt::format("{}: has no set of weights '{}', and none that fits the network",
                                    checkpoint.file_name, printable(checkpoint.weights)));
    return choice;
  }
  const std::size_t most = std::ranges::max_element(sets, {}, &WeightSet::parameters)->parameters;
  std::vector<const WeightSet*> full;
  for (const WeightSet& set : sets)
    if (set.parameters == most) full.push_back(&set);
  const WeightSet& chosen = checkpoint.weights.empty()
                                ? **std::ranges::min_element(full, [](auto* a, auto* b) { return better(*a, *b); })
                                : named_set(checkpoint, sets, most);
  choice.prefix = chosen.prefix;
  std::vector<std::string> told;
  std::string because;
  for (const WeightSet& other : sets) {
    if (&other == &chosen || 2 * other.parameters <= most || share_storage(checkpoint, names, chosen, other)) continue;
    choice.others.push_back(other.prefix);
    told.push_back(shown(other.prefix));
    if (const auto reasons = reasons_aside(other.prefix); because.empty() && !reasons.empty())
      because = reasons.front();
  }
  if (told.empty() || !checkpoint.weights.empty()) return choice;
  choice.assumption = fmt::format("{}: holds several sets of weights; {} is used{}, and not {}; --weights chooses",
                                  checkpoint.file_name, shown(chosen.prefix),
                                  because.empty() ? ", the first" : ", " + because, join(told, kShown));
  return choice;
}

}  // namespace shiftnorm::experiment
