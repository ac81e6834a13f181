#include "shiftnorm/graph/fold.hpp"

#include <fmt/format.h>

#include <cmath>

#include "channel_affine.hpp"
#include "rebuild.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

const Tensor& vector_of(const Graph& graph, const Node& node, std::size_t input) {
  const Value& value = graph.value(node.inputs.at(input));
  if (!value.tensor)
    throw FormatError(fmt::format("node '{}': '{}' has no values; expected a bound parameter", node.name, value.name));
  return *value.tensor;
}

ChannelAffine affine_of(const Graph& graph, const Node& node) {
  const auto& gamma = vector_of(graph, node, 1).values;
  const auto& beta = vector_of(graph, node, 2).values;
  const auto& mean = vector_of(graph, node, 3).values;
  const auto& variance = vector_of(graph, node, 4).values;
  const auto epsilon = static_cast<double>(node.number("epsilon", 1e-5f));
  ChannelAffine affine;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    affine.scale.push_back(static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon));
    affine.shift.push_back(static_cast<double>(beta[c]) - static_cast<double>(mean[c]) * affine.scale[c]);
  }
  return affine;
}

Tensor rounded(const Shape& shape, const std::vector<double>& values) {
  return Tensor(Array::from_doubles(shape, values));
}

/// "conv1.bias" beside "conv1.weight".
std::string bias_name(const std::string& weight) {
  constexpr std::string_view kWeight = "weight";
  return (weight.ends_with(kWeight) ? weight.substr(0, weight.size() - kWeight.size()) : weight + ".") + "bias";
}

class Folder {
 public:
  explicit Folder(const Graph& graph)
      : graph_(graph), uses_(uses_of(graph)), producers_(producers_of(graph)), rebuild_(graph) {}

  Graph run() {
    // Producer of every BatchNormalization that can go, which is left out where it stood.
    std::vector<bool> absorbed(graph_.nodes().size(), false);
    for (const Node& node : graph_.nodes())
      if (const std::size_t at = absorber_before(node); at < absorbed.size()) absorbed[at] = true;
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      const Node& node = graph_.nodes()[n];
      if (absorbed[n]) continue;
      if (const std::size_t at = absorber_before(node); at < absorbed.size())
        fold(graph_.nodes()[at], node);
      else
        rebuild_.copy(node);
    }
    return rebuild_.finish();
  }

 private:
  [[nodiscard]] std::size_t absorber_before(const Node& node) const {
    const std::size_t none = graph_.nodes().size();
    if (node.op != "BatchNormalization") return none;
    const auto x = static_cast<std::size_t>(node.inputs.at(0));
    const std::size_t producer = producers_[x];
    return producer < none && uses_[x] == 1 && takes_affine(graph_, graph_.nodes()[producer]) ? producer : none;
  }

  void fold(const Node& layer, const Node& norm) {
    const AbsorbedWeights values = absorb(graph_, layer, affine_of(graph_, norm));
    const Value& weight = graph_.value(layer.inputs[1]);
    const bool has_bias = layer.inputs.size() > 2 && layer.inputs[2] != kNone;
    const ValueId w = changed(layer.inputs[1], weight.name, rounded(weight.tensor->shape, values.weight));
    const Tensor bias = rounded(Shape{static_cast<std::int64_t>(values.bias.size())}, values.bias);
    const ValueId b = has_bias ? changed(layer.inputs[2], graph_.value(layer.inputs[2]).name, bias)
                               : rebuild_.parameter(rebuild_.fresh(bias_name(weight.name)), bias);
    std::map<std::string, Attribute> attributes = layer.attributes;
    attributes.erase("beta");  // it is in the bias now
    const std::string op = layer.op == "MatMul" ? "Gemm" : layer.op;
    rebuild_.replace(norm.outputs[0],
                     rebuild_.add(op, layer.name, {rebuild_.now(layer.inputs[0]), w, b}, std::move(attributes)));
  }

  /// A parameter of one layer alone keeps its name; one that others read too is left to them.
  ValueId changed(ValueId old, const std::string& name, Tensor tensor) {
    const bool shared = uses_[static_cast<std::size_t>(old)] > 1;
    return rebuild_.parameter(shared ? rebuild_.fresh(name) : name, std::move(tensor));
  }

  const Graph& graph_;
  std::vector<std::size_t> uses_, producers_;
  Rebuild rebuild_;
};

}  // namespace

Graph fold_batch_norms(const Graph& graph) { return Folder(graph).run(); }

}  // namespace shiftnorm::graph
