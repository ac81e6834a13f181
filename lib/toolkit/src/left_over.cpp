#include "left_over.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/pattern.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::Checkpoint, formats::NamedTensor;

/// Tensors by what they are called: counts of profilers (thop), SWA's counter, MoCo's negatives, torchmetrics' states.
constexpr std::array<std::string_view, 12> kLeaves{"total_ops", "total_params", "n_averaged", "queue",
                                                   "queue_ptr", "confmat",      "correct",    "total",
                                                   "tp",        "fp",           "tn",         "fn"};
/// Modules by a word of their name: losses and metrics.
constexpr std::array<std::string_view, 20> kMeasures{
    "criterion", "criteria", "loss",  "losses", "metric", "metrics", "acc",       "accuracy", "auroc", "auc",
    "precision", "recall",   "kappa", "dice",   "iou",    "mae",     "confusion", "mse",      "meter", "ece"};

bool among(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

/// "val", "Acc" and "macro" of "val_Acc-macro", in small letters.
bool measures(std::string_view module) {
  std::string word;
  const auto ends = [&word] {
    const bool told = among(kMeasures, word) || word.ends_with("loss") || word.ends_with("metric") ||
                      word.ends_with("metrics") || word.ends_with("accuracy");
    word.clear();
    return told;
  };
  for (const char c : module) {
    const bool small = c >= 'a' && c <= 'z', large = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    if (!small && !large && !digit && ends()) return true;
    if (small || large || digit) word += large ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return ends();
}

/// AuxLogits, aux1, aux_classifier, auxiliary_head.
bool auxiliary(std::string_view module) { return module.starts_with("aux") || module.starts_with("Aux"); }

/// Told by a name behind the network's prefix, or by one that is outside of it.
bool of_training(std::string_view name, std::string_view prefix) {
  const std::size_t last = name.rfind('.');
  if (among(kLeaves, name.substr(last == std::string_view::npos ? 0 : last + 1))) return true;
  const bool inside = name.starts_with(prefix);
  if (inside) name.remove_prefix(prefix.size());
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view module = name.substr(begin, end - begin);
    if (end < name.size() && (measures(module) || auxiliary(module))) return true;
    if (inside) return false;  // further in, the network's own layers have their names
    begin = end + 1;
  }
  return false;
}

bool single_integer(const NamedTensor& tensor) {
  return !is_floating(tensor.values.dtype()) && tensor.values.shape().elements() == 1;
}

using Place = std::tuple<std::uint64_t, std::vector<std::int64_t>>;

std::set<Place> places_of(const Checkpoint& checkpoint, const graph::Binding& binding) {
  std::set<Place> places;
  for (const auto& [id, index] : binding.pairs)
    if (const auto& origin = checkpoint.tensors[index].origin) places.emplace(origin->offset, origin->strides);
  return places;
}

/// Prefixes of which none begins another: the only one that can begin a name is the last that is not behind it.
class Prefixes {
 public:
  explicit Prefixes(std::vector<std::string> prefixes) {
    std::erase(prefixes, std::string());
    std::ranges::sort(prefixes);
    for (std::string& one : prefixes)
      if (sorted_.empty() || !one.starts_with(sorted_.back())) sorted_.push_back(std::move(one));
  }
  [[nodiscard]] bool begin(std::string_view name) const {
    const auto behind = std::ranges::upper_bound(sorted_, name, std::less<std::string_view>());
    return behind != sorted_.begin() && name.starts_with(*std::prev(behind));
  }

 private:
  std::vector<std::string> sorted_;
};

}  // namespace

void check_left_over(const Checkpoint& checkpoint, std::span<const std::string> names, const graph::Binding& binding,
                     const WeightChoice& choice, std::span<const std::string> allow_unused) {
  if (binding.left_over.empty()) return;
  const std::set<Place> used = places_of(checkpoint, binding);
  const Prefixes others(choice.others);
  const bool nameless = std::ranges::find(choice.others, std::string()) != choice.others.end();
  std::vector<std::string> unused;
  for (const std::size_t i : binding.left_over) {
    const NamedTensor& tensor = checkpoint.tensors[i];
    // An empty prefix begins every name: what is not the other's is then behind the chosen one.
    const bool of_others = others.begin(names[i]) || (nameless && !names[i].starts_with(choice.prefix));
    const bool second_name = tensor.origin && used.contains({tensor.origin->offset, tensor.origin->strides});
    const bool allowed = std::ranges::any_of(
        allow_unused, [&](const std::string& pattern) { return matches_pattern(pattern, tensor.name); });
    if (!of_others && !second_name && !allowed && !single_integer(tensor) && !of_training(names[i], choice.prefix))
      unused.push_back(printable(tensor.name));
  }
  if (unused.empty()) return;
  throw FormatError(fmt::format(
      "the file does not fit the architecture: {} tensor{} that it does not use ({}); expected the network of all of "
      "them, or --allow-unused PATTERN for what changes none of its outputs",
      unused.size(), unused.size() == 1 ? "" : "s", join(unused, 4)));
}

}  // namespace shiftnorm::toolkit
