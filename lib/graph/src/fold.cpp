#include "shiftnorm/graph/fold.hpp"

#include <fmt/format.h>

#include <map>

#include "channel_affine.hpp"
#include "rebuild.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Vector = AlignedVector<float>;

const Vector& vector_of(const Graph& graph, const Node& node, std::size_t input) {
  const Value& value = graph.value(node.inputs.at(input));
  if (!value.tensor)
    throw FormatError(fmt::format("node '{}': '{}' has no values; expected a bound parameter", node.name, value.name));
  return value.tensor->values;
}

ChannelAffine affine_of(const BatchNorm& layer, const Vector& gamma, const Vector& beta, std::span<const double> mean,
                        std::span<const double> variance) {
  ChannelAffine affine;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    affine.scale.push_back(layer.gain(static_cast<double>(gamma[c]), variance[c]));
    affine.shift.push_back(static_cast<double>(beta[c]) - mean[c] * affine.scale[c]);
  }
  return affine;
}

ChannelAffine affine_of(const Graph& graph, const BatchNorm& layer, const Node& node) {
  const Vector &mean = vector_of(graph, node, 3), &variance = vector_of(graph, node, 4);
  return affine_of(layer, vector_of(graph, node, 1), vector_of(graph, node, 2),
                   std::vector<double>(mean.begin(), mean.end()),
                   std::vector<double>(variance.begin(), variance.end()));
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
  Folder(const Graph& graph, Folding which)
      : graph_(graph), uses_(uses_of(graph)), producers_(producers_of(graph)), rebuild_(graph) {
    for (const BatchNorm& layer : batch_norms(graph))
      if (which == Folding::every || layer.folded)
        for (const std::size_t n : layer.nodes) layer_of_.emplace(n, layer);
  }

  Graph run() {
    // Producer of every BatchNormalization that can go, which is left out where it stood.
    std::vector<bool> absorbed(graph_.nodes().size(), false);
    for (std::size_t n = 0; n < absorbed.size(); ++n)
      if (const std::size_t at = absorber_before(n); at < absorbed.size()) absorbed[at] = true;
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      const Node& node = graph_.nodes()[n];
      if (absorbed[n]) continue;
      if (const std::size_t at = absorber_before(n); at < absorbed.size())
        fold(graph_.nodes()[at], layer_of_.at(n), node);
      else
        rebuild_.copy(node);
    }
    return rebuild_.finish();
  }

 private:
  [[nodiscard]] std::size_t absorber_before(std::size_t norm) const {
    const std::size_t none = graph_.nodes().size();
    if (!layer_of_.contains(norm)) return none;
    const auto x = static_cast<std::size_t>(graph_.nodes()[norm].inputs.at(0));
    const std::size_t producer = producers_[x];
    return producer < none && uses_[x] == 1 && takes_affine(graph_, graph_.nodes()[producer]) ? producer : none;
  }

  void fold(const Node& layer, const BatchNorm& set, const Node& norm) {
    const AbsorbedWeights values = absorb(graph_, layer, affine_of(graph_, set, norm));
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
  std::map<std::size_t, BatchNorm> layer_of_;  ///< of the nodes that may be folded
  Rebuild rebuild_;
};

}  // namespace

Graph fold_batch_norms(const Graph& graph, Folding which) { return Folder(graph, which).run(); }

Refolded refold(const Graph& graph, const BatchNorm& layer, std::span<const double> mean,
                std::span<const double> variance) {
  const Node& norm = graph.nodes().at(layer.nodes.front());
  const Node& convolution = graph.nodes().at(producers_of(graph).at(static_cast<std::size_t>(norm.inputs[0])));
  AbsorbedWeights values = absorb(
      graph, convolution, affine_of(layer, vector_of(graph, norm, 1), vector_of(graph, norm, 2), mean, variance));
  return {convolution.inputs.at(1), convolution.inputs.at(2), std::move(values.weight), std::move(values.bias)};
}

}  // namespace shiftnorm::graph
