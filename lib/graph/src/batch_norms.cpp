#include "shiftnorm/graph/batch_norms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "folded_mark.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/names.hpp"

namespace shiftnorm::graph {
namespace {

constexpr auto kStoredVariances =
    names<Named<StoredVariance>>("stored variance", {{"sample", StoredVariance::sample},
                                                     {"population", StoredVariance::population},
                                                     {"keras-once", StoredVariance::keras_once},
                                                     {"keras-twice", StoredVariance::keras_twice}});

StoredVariance stored_variance(const Node& node) {
  const std::string name = node.text(kStoredVariance, "sample");
  const Named<StoredVariance>* stored = kStoredVariances.find(name);
  if (stored == nullptr) throw Error(fmt::format("node '{}': {} is '{}'", node.name, kStoredVariance, name));
  return stored->value;
}

/// "layer1.0.bn1" of "layer1.0.bn1.running_mean": what a layer's parameters have in common.
std::string layer_name(const Graph& graph, const Node& node) {
  const std::string& mean = graph.value(node.inputs[3]).name;
  // Names of Keras and of ONNX's nodes are paths, whose folders may hold dots.
  const std::size_t dot = mean.find_last_of('.'), folder = mean.find_last_of('/');
  const bool cut = dot != std::string::npos && (folder == std::string::npos || folder < dot);
  return cut ? mean.substr(0, dot) : node.name;
}

/// The double nearest to the shortest decimal text that gives this float: 1e-5, not 9.99999975e-6.
double decimal(float narrow) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), narrow);
  double wide = static_cast<double>(narrow);
  std::from_chars(text.data(), written.ptr, wide);
  return wide;
}

/// Whether two BatchNormalization nodes are one set: equal parameters.
std::vector<ValueId> key_of(const Node& node) { return {node.inputs.begin() + 1, node.inputs.begin() + 5}; }

/// Its four vectors must be parameters: they are what is measured, blended and written back.
void check_parameters(const Graph& graph, const Node& node) {
  for (const ValueId id : key_of(node))
    if (id == kNone || !graph.value(id).parameter)
      throw UnsupportedError(fmt::format("node '{}': '{}' of its BatchNormalization is computed; expected a parameter",
                                         node.name, id == kNone ? "" : graph.value(id).name));
}

}  // namespace

double BatchNorm::gain(double gamma, double variance_now) const {
  constexpr double kMostFoldedGain = 10;  // docs/reference/estimators.md#folded-networks
  const double gain = gamma / std::sqrt(variance_now + epsilon);
  return folded ? std::min(gain, kMostFoldedGain) : gain;
}

std::string_view name_of(StoredVariance stored) { return kStoredVariances.name_of(stored); }

double stored_factor(const BatchNorm& layer, std::int64_t values) {
  const auto n = static_cast<double>(values);
  const double once = n / (n - 1.0), corrected = n / (n - (1.0 + layer.epsilon));
  switch (layer.stored_variance) {
    case StoredVariance::sample: return once;
    case StoredVariance::population: return 1.0;
    case StoredVariance::keras_once: return corrected;
    case StoredVariance::keras_twice: return once * corrected;
  }
  return 1.0;
}

std::vector<BatchNorm> batch_norms(const Graph& graph) {
  std::vector<BatchNorm> sets;
  std::map<std::vector<ValueId>, std::size_t> seen;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op != "BatchNormalization") continue;
    check_parameters(graph, node);
    const auto [it, fresh] = seen.try_emplace(key_of(node), sets.size());
    if (fresh) {
      BatchNorm set;
      set.name = layer_name(graph, node);
      set.scale = node.inputs[1];
      set.bias = node.inputs[2];
      set.mean = node.inputs[3];
      set.variance = node.inputs[4];
      set.channels = (*graph.value(set.mean).shape)[0];
      // Attributes are float in files; the double nearest to the decimal text (1e-5) is what frameworks compute with.
      set.epsilon = decimal(node.number("epsilon", 1e-5f));
      set.momentum = 1.0 - decimal(node.number("momentum", 0.9f));
      set.stored_variance = stored_variance(node);
      set.affine = graph.value(set.scale).parameter && !graph.value(set.scale).name.empty();
      set.folded = node.integer(kFolded, 0) != 0;
      sets.push_back(std::move(set));
    }
    sets[it->second].nodes.push_back(i);
  }
  // Vectors may be numbered ("w.12", "w.13"), so that what they have in common names no layer; nodes have one name
  // each.
  std::map<std::string, int> named;
  for (const BatchNorm& set : sets) ++named[set.name];
  for (BatchNorm& set : sets)
    if (named.at(set.name) > 1) set.name = graph.nodes()[set.nodes.front()].name;
  assign_levels(graph, sets, std::vector<bool>(sets.size(), true));
  return sets;
}

std::vector<BatchNorm> uses_of(const Graph& graph, const std::vector<BatchNorm>& sets) {
  std::vector<BatchNorm> uses;
  for (const BatchNorm& set : sets)
    for (const std::size_t node : set.nodes) uses.emplace_back(set).nodes = {node};
  std::sort(uses.begin(), uses.end(),
            [](const BatchNorm& a, const BatchNorm& b) { return a.nodes.front() < b.nodes.front(); });
  assign_levels(graph, uses, std::vector<bool>(uses.size(), true));
  return uses;
}

void assign_levels(const Graph& graph, std::vector<BatchNorm>& sets, const std::vector<bool>& measured) {
  std::vector<std::int64_t> set_of(graph.nodes().size(), -1);
  for (std::size_t s = 0; s < sets.size(); ++s) {
    sets[s].level = measured[s] ? 1 : 0;
    sets[s].ordered = true;
    for (const std::size_t n : sets[s].nodes) set_of[n] = static_cast<std::int64_t>(s);
  }
  // One pass settles sets with one use. A set with several uses may rise after an earlier use was passed, so passes are
  // repeated; a set that depends on itself rises for ever, and more levels than sets prove it.
  const auto most = static_cast<std::int64_t>(sets.size());
  std::vector<std::int64_t> above(graph.values());
  for (bool risen = true; risen;) {
    risen = false;
    std::fill(above.begin(), above.end(), 0);
    for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
      const Node& node = graph.nodes()[n];
      std::int64_t highest = 0;
      for (const ValueId id : node.inputs)
        if (id != kNone) highest = std::max(highest, above[static_cast<std::size_t>(id)]);
      if (set_of[n] >= 0 && measured[static_cast<std::size_t>(set_of[n])]) {
        BatchNorm& set = sets[static_cast<std::size_t>(set_of[n])];
        if (set.ordered && highest + 1 > set.level) {
          if (highest + 1 > most) {
            set.ordered = false;
          } else {
            set.level = highest + 1;
            risen = true;
          }
        }
        highest = std::max(highest, set.level);
      }
      for (const ValueId id : node.outputs) above[static_cast<std::size_t>(id)] = highest;
    }
  }
}

}  // namespace shiftnorm::graph
