#include "channel_affine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

/// Output channel of element (i, j) of a weight's first two axes.
using ChannelOf = std::int64_t (*)(const Node& node, const Shape& weight, std::int64_t i, std::int64_t j);

std::int64_t first_axis(const Node&, const Shape&, std::int64_t i, std::int64_t) { return i; }
std::int64_t second_axis(const Node&, const Shape&, std::int64_t, std::int64_t j) { return j; }
/// [inputs, outputs / groups, ...]: the inputs of a group are adjacent.
std::int64_t transposed_convolution(const Node& node, const Shape& weight, std::int64_t i, std::int64_t j) {
  const std::int64_t inputs_per_group = std::max<std::int64_t>(weight[0] / node.integer("group", 1), 1);
  return i / inputs_per_group * weight[1] + j;
}
std::int64_t matrix(const Node& node, const Shape&, std::int64_t i, std::int64_t j) {
  return node.integer("transB", 0) != 0 ? i : j;
}

struct Absorber {
  std::string_view op;
  ChannelOf channel;
};
constexpr std::array kAbsorbers{Absorber{"Conv", first_axis}, Absorber{"ConvTranspose", transposed_convolution},
                                Absorber{"Gemm", matrix}, Absorber{"MatMul", second_axis}};

const Absorber* absorber_of(const Node& node) {
  const auto* const at =
      std::find_if(kAbsorbers.begin(), kAbsorbers.end(), [&](const Absorber& a) { return a.op == node.op; });
  return at == kAbsorbers.end() ? nullptr : at;
}

const Tensor& bound(const Graph& graph, const Node& node, std::size_t input) {
  const Value& value = graph.value(node.inputs.at(input));
  if (!value.tensor)
    throw FormatError(fmt::format("node '{}': '{}' has no values; expected a bound parameter", node.name, value.name));
  return *value.tensor;
}

}  // namespace

bool takes_affine(const Graph& graph, const Node& node) {
  if (absorber_of(node) == nullptr || node.inputs.size() < 2 || node.inputs[0] == kNone || node.inputs[1] == kNone)
    return false;
  const Value& weight = graph.value(node.inputs[1]);
  const bool constant = weight.tensor && weight.tensor->shape.rank() >= 2 && !graph.value(node.inputs[0]).parameter;
  const bool constant_bias = node.inputs.size() < 3 || node.inputs[2] == kNone || graph.value(node.inputs[2]).tensor;
  // A product of more than two axes has its channels, axis 1, in another place than its matrix' columns.
  const bool of_matrix =
      node.op != "MatMul" || (graph.value(node.inputs[0]).shape && graph.value(node.inputs[0]).shape->rank() == 2);
  return constant && constant_bias && of_matrix && node.integer("transA", 0) == 0;
}

AbsorbedWeights absorb(const Graph& graph, const Node& node, const ChannelAffine& affine) {
  const Tensor& weight = bound(graph, node, 1);
  const auto channels = static_cast<std::int64_t>(affine.scale.size());
  const ChannelOf channel_of = absorber_of(node)->channel;
  AbsorbedWeights out{{weight.values.begin(), weight.values.end()}, affine.shift};
  const auto inner = static_cast<std::size_t>(weight.shape.elements_from(2));
  auto at = out.weight.begin();
  for (std::int64_t i = 0; i < weight.shape[0]; ++i)
    for (std::int64_t j = 0; j < weight.shape[1]; ++j) {
      const std::int64_t channel = channel_of(node, weight.shape, i, j);
      if (channel >= channels)
        throw FormatError(fmt::format("node '{}': weight {} gives more than the {} channels behind it", node.name,
                                      weight.shape.text(), channels));
      for (std::size_t k = 0; k < inner; ++k) *at++ *= affine.scale[static_cast<std::size_t>(channel)];
    }
  if (node.inputs.size() < 3 || node.inputs[2] == kNone) return out;
  const Tensor& bias = bound(graph, node, 2);
  if (bias.values.size() != out.bias.size() && bias.values.size() != 1)
    throw FormatError(fmt::format("node '{}': bias {}; expected one value for each of {} channels", node.name,
                                  bias.shape.text(), channels));
  const double beta = node.op == "Gemm" ? static_cast<double>(node.number("beta", 1.0f)) : 1.0;
  for (std::size_t c = 0; c < out.bias.size(); ++c)
    out.bias[c] += affine.scale[c] * beta * static_cast<double>(bias.values[bias.values.size() == 1 ? 0 : c]);
  return out;
}

}  // namespace shiftnorm::graph
