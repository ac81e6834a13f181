#include "weight_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::Checkpoint, formats::NamedTensor, graph::WeightSet;

/// Words in a prefix that mark a set which an evaluation ignores, and whose.
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

/// A file's tensors in the order of their names, so that those behind a prefix are adjacent. Every set is looked at
/// without walking through all the others.
class TensorsByName {
 public:
  TensorsByName(const Checkpoint& checkpoint, std::span<const std::string> names) : checkpoint_(checkpoint) {
    for (std::size_t i = 0; i < names.size(); ++i) sorted_.emplace_back(names[i], i);
    std::ranges::sort(sorted_);
  }

  /// Whether every tensor of one set lies where the other's lies: a module under two names.
  [[nodiscard]] bool share_storage(const WeightSet& a, const WeightSet& b) const {
    const std::span<const Entry> of_a = behind(a.prefix), of_b = behind(b.prefix);
    std::string_view last;
    for (std::size_t i = 0; i < of_b.size(); ++i) {
      const auto& [name, place] = of_b[i];
      if (i > 0 && name == last) continue;  // of a name given twice the first counts
      last = name;
      const std::string_view rest = name.substr(b.prefix.size());
      const auto at = std::ranges::lower_bound(
          of_a, rest, {}, [&a](const Entry& entry) { return entry.first.substr(a.prefix.size()); });
      if (at == of_a.end() || at->first.substr(a.prefix.size()) != rest ||
          !same_storage(checkpoint_.tensors[at->second], checkpoint_.tensors[place]))
        return false;
    }
    return true;
  }

 private:
  using Entry = std::pair<std::string_view, std::size_t>;

  [[nodiscard]] std::span<const Entry> behind(std::string_view prefix) const {
    const auto start = [prefix](const Entry& entry) { return entry.first.substr(0, prefix.size()); };
    return {std::ranges::lower_bound(sorted_, prefix, {}, start), std::ranges::upper_bound(sorted_, prefix, {}, start)};
  }

  const Checkpoint& checkpoint_;
  std::vector<Entry> sorted_;
};

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
                            std::span<const std::string> wanted, const graph::Wrappings& wrappings) {
  const std::vector<WeightSet> sets = graph::weight_sets(wanted, names, wrappings);
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
  const TensorsByName tensors(checkpoint, names);
  std::vector<std::string> told;
  std::string because;
  for (const WeightSet& other : sets) {
    if (&other == &chosen || 2 * other.parameters <= most || tensors.share_storage(chosen, other)) continue;
    choice.others.push_back(other.prefix);
    told.push_back(shown(other.prefix));
    if (const auto reasons = reasons_aside(other.prefix); because.empty() && !reasons.empty())
      because = reasons.front();
  }
  if (told.empty() || !checkpoint.weights.empty()) return choice;
  choice.assumption = fmt::format("{}: holds several sets of weights; {} is used{}, not {} (--weights selects another)",
                                  checkpoint.file_name, shown(chosen.prefix),
                                  because.empty() ? ", the first" : ", " + because, join(told, kShown));
  return choice;
}

}  // namespace shiftnorm::toolkit
