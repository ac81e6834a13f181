#include "layers.hpp"

#include <algorithm>

namespace shiftnorm::zoo {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

std::int64_t round_channels(double channels) {
  const auto rounded = std::max<std::int64_t>(8, static_cast<std::int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + 8 : rounded;
}

ValueId Layers::conv(const std::string& name, ValueId x, std::int64_t in, std::int64_t out, const ConvOptions& o) {
  const bool square = o.kernel_w == 0;
  const std::int64_t kernel_w = square ? o.kernel : o.kernel_w, padding_w = square ? o.padding : o.padding_w;
  std::vector<ValueId> inputs{x, graph_.add_parameter(name + ".weight", Shape{out, in / o.groups, o.kernel, kernel_w})};
  const Shape* offered = held_ == nullptr ? nullptr : held_->find(name + ".bias");
  if (o.bias || (offered != nullptr && *offered == Shape{out}))
    inputs.push_back(graph_.add_parameter(name + ".bias", Shape{out}));
  return graph_.add("Conv", name, std::move(inputs),
                    {{"strides", Ints{o.stride, o.stride}},
                     {"pads", Ints{o.padding, padding_w, o.padding, padding_w}},
                     {"dilations", Ints{o.dilation, o.dilation}},
                     {"group", o.groups}});
}

ValueId Layers::conv_norm(const std::string& name, ValueId x, std::int64_t in, std::int64_t out, ConvOptions options,
                          Activation activation, const Norm& norm) {
  options.padding = (options.kernel - 1) / 2 * options.dilation;
  x = batch_norm(name + ".1", conv(name + ".0", x, in, out, options), out, norm.epsilon, norm.momentum);
  return activate(name + ".2", x, activation);
}

ValueId Layers::activate(const std::string& name, ValueId x, Activation activation) {
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: return relu(name, x);
    case Activation::relu6:
      return graph_.add("Clip", name,
                        {x, constant(name + ".low", Tensor(Shape{}, std::vector{0.0f})),
                         constant(name + ".high", Tensor(Shape{}, std::vector{6.0f}))});
    case Activation::hard_swish: return graph_.add("HardSwish", name, {x});
    case Activation::silu: return graph_.add("Mul", name, {x, graph_.add("Sigmoid", name + ".sigmoid", {x})});
  }
  return x;
}

ValueId Layers::squeeze_excite(const std::string& name, ValueId x, std::int64_t channels, std::int64_t squeezed,
                               Activation activation, const std::string& gate) {
  ValueId y = graph_.add("GlobalAveragePool", name + ".avgpool", {x});
  y = conv(name + ".fc1", y, channels, squeezed, {.kernel = 1, .bias = true});
  y = conv(name + ".fc2", activate(name + ".activation", y, activation), squeezed, channels,
           {.kernel = 1, .bias = true});
  // PyTorch's hard sigmoid is min(max(x + 3, 0), 6) / 6.
  y = gate == "HardSigmoid" ? graph_.add(gate, name + ".gate", {y}, {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}})
                            : graph_.add(gate, name + ".gate", {y});
  return graph_.add("Mul", name + ".scale", {x, y});
}

ValueId Layers::batch_norm(const std::string& name, ValueId x, std::int64_t channels, float epsilon, float momentum) {
  const Shape shape{channels};
  std::vector<ValueId> inputs{x};
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
    inputs.push_back(graph_.add_parameter(name + part, shape));
  return graph_.add("BatchNormalization", name, std::move(inputs),
                    {{"epsilon", epsilon}, {"momentum", 1.0f - momentum}});
}

ValueId Layers::basic_conv(const std::string& name, ValueId x, std::int64_t in, std::int64_t out,
                           const ConvOptions& o) {
  return relu(name + ".relu", batch_norm(name + ".bn", conv(name + ".conv", x, in, out, o), out, 1e-3f));
}

ValueId Layers::relu(const std::string& name, ValueId x) { return graph_.add("Relu", name, {x}); }
ValueId Layers::add(const std::string& name, ValueId a, ValueId b) { return graph_.add("Add", name, {a, b}); }

ValueId Layers::max_pool(const std::string& name, ValueId x, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding, bool ceil_mode) {
  return graph_.add("MaxPool", name, {x},
                    {{"kernel_shape", Ints{kernel, kernel}},
                     {"strides", Ints{stride, stride}},
                     {"pads", Ints(4, padding)},
                     {"ceil_mode", std::int64_t{ceil_mode ? 1 : 0}}});
}

ValueId Layers::average_pool(const std::string& name, ValueId x, std::int64_t kernel, std::int64_t stride,
                             std::int64_t padding) {
  return graph_.add("AveragePool", name, {x},
                    {{"kernel_shape", Ints{kernel, kernel}},
                     {"strides", Ints{stride, stride}},
                     {"pads", Ints(4, padding)},
                     {"count_include_pad", std::int64_t{1}}});
}

ValueId Layers::concat(const std::string& name, std::vector<ValueId> parts) {
  return graph_.add("Concat", name, std::move(parts), {{"axis", std::int64_t{1}}});
}

ValueId Layers::constant(const std::string& name, Tensor tensor) {
  const ValueId id = graph_.add_parameter(name, tensor.shape);
  graph_.value(id).tensor = std::move(tensor);
  return id;
}

ValueId Layers::pool_and_flatten(ValueId x) {
  return graph_.add("Flatten", "flatten", {graph_.add("GlobalAveragePool", "avgpool", {x})});
}

ValueId Layers::linear(const std::string& name, ValueId x, std::int64_t in, std::int64_t out, bool bias) {
  std::vector<ValueId> inputs{x, graph_.add_parameter(name + ".weight", Shape{out, in})};
  if (bias) inputs.push_back(graph_.add_parameter(name + ".bias", Shape{out}));
  return graph_.add("Gemm", name, std::move(inputs), {{"transB", std::int64_t{1}}});
}

}  // namespace shiftnorm::zoo
