#include "layers.hpp"

namespace shiftnorm::zoo {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

namespace {

/// [in, out] weights of adaptive average pooling along one axis, or their transpose.
Tensor adaptive_weights(std::int64_t in, std::int64_t out, bool transposed) {
  std::vector<float> weights(static_cast<std::size_t>(in * out), 0.0f);
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t first = o * in / out, last = ((o + 1) * in + out - 1) / out;
    for (std::int64_t i = first; i < last; ++i)
      weights[static_cast<std::size_t>(transposed ? o * in + i : i * out + o)] =
          1.0f / static_cast<float>(last - first);
  }
  return {transposed ? Shape{out, in} : Shape{in, out}, weights};
}

}  // namespace

ValueId Layers::conv(const std::string& name, ValueId x, std::int64_t in, std::int64_t out, const ConvOptions& o) {
  std::vector<ValueId> inputs{x, graph_.add_parameter(name + ".weight", Shape{out, in / o.groups, o.kernel, o.kernel})};
  if (o.bias) inputs.push_back(graph_.add_parameter(name + ".bias", Shape{out}));
  return graph_.add("Conv", name, std::move(inputs),
                    {{"strides", Ints{o.stride, o.stride}},
                     {"pads", Ints(4, o.padding)},
                     {"dilations", Ints{o.dilation, o.dilation}},
                     {"group", o.groups}});
}

ValueId Layers::batch_norm(const std::string& name, ValueId x, std::int64_t channels, float epsilon, float momentum) {
  const Shape shape{channels};
  std::vector<ValueId> inputs{x};
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
    inputs.push_back(graph_.add_parameter(name + part, shape));
  return graph_.add("BatchNormalization", name, std::move(inputs),
                    {{"epsilon", epsilon}, {"momentum", 1.0f - momentum}});
}

ValueId Layers::relu(const std::string& name, ValueId x) { return graph_.add("Relu", name, {x}); }
ValueId Layers::add(const std::string& name, ValueId a, ValueId b) { return graph_.add("Add", name, {a, b}); }

ValueId Layers::max_pool(const std::string& name, ValueId x, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding) {
  return graph_.add(
      "MaxPool", name, {x},
      {{"kernel_shape", Ints{kernel, kernel}}, {"strides", Ints{stride, stride}}, {"pads", Ints(4, padding)}});
}

ValueId Layers::average_pool(const std::string& name, ValueId x, std::int64_t kernel, std::int64_t stride,
                             std::int64_t padding) {
  return graph_.add("AveragePool", name, {x},
                    {{"kernel_shape", Ints{kernel, kernel}},
                     {"strides", Ints{stride, stride}},
                     {"pads", Ints(4, padding)},
                     {"count_include_pad", std::int64_t{1}}});
}

ValueId Layers::adaptive_average_pool(const std::string& name, ValueId x, std::int64_t height, std::int64_t width,
                                      std::int64_t side) {
  if (height != side)
    x = graph_.add("MatMul", name + ".rows",
                   {constant(name + ".rows.weights", adaptive_weights(height, side, true)), x});
  if (width != side)
    x = graph_.add("MatMul", name + ".columns",
                   {x, constant(name + ".columns.weights", adaptive_weights(width, side, false))});
  return x;
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

ValueId Layers::linear(const std::string& name, ValueId x, std::int64_t in, std::int64_t out) {
  return graph_.add(
      "Gemm", name,
      {x, graph_.add_parameter(name + ".weight", Shape{out, in}), graph_.add_parameter(name + ".bias", Shape{out})},
      {{"transB", std::int64_t{1}}});
}

}  // namespace shiftnorm::zoo
