#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "window.hpp"

namespace shiftnorm::formats::keras {
namespace {

/// Kernels as the graph wants them: [out, in / group, spatial...].
struct Kernel {
  Shape shape;
  std::vector<float> values;

  [[nodiscard]] Ints extents() const { return {shape.extents().begin() + 2, shape.extents().end()}; }
};

/// (spatial..., in, out), or in Keras 1 with channels first (out, in, spatial...).
Kernel convolution_kernel(const LayerCall& call, std::size_t spatial, bool channels_first) {
  if (call.to.backend() == "theano")
    throw UnsupportedError("was trained with Theano, which keeps kernels rotated and pads in another way");
  const bool old = call.to.version().major() < 2;
  const Array& stored = call.weight("kernel", old && spatial == 1 ? 4 : spatial + 2);
  if (old && spatial == 1) {  // (length, 1, in, out)
    const Shape& shape = stored.shape();
    if (shape[1] != 1) throw FormatError(fmt::format("a kernel of shape {}", shape.text()));
    constexpr std::array<std::size_t, 4> kOrder{3, 2, 0, 1};
    return {Shape{shape[3], shape[2], shape[0]}, permuted(stored, kOrder)};
  }
  if (old && channels_first) return {stored.shape(), stored.to_float()};
  std::vector<std::size_t> order{spatial + 1, spatial};
  for (std::size_t axis = 0; axis < spatial; ++axis) order.push_back(axis);
  Ints extents;
  for (const std::size_t axis : order) extents.push_back(stored.shape()[axis]);
  return {Shape(std::move(extents)), permuted(stored, order)};
}

/// (spatial..., in, multiplier) to [in * multiplier, 1, spatial...].
Kernel depthwise_kernel(const LayerCall& call, std::size_t spatial, bool channels_first) {
  if (call.to.backend() == "theano" || (call.to.version().major() < 2 && channels_first))
    throw UnsupportedError("a depthwise kernel of Theano; expected TensorFlow's");
  const Array& stored = call.weight("depthwise_kernel", spatial + 2);
  std::vector<std::size_t> order{spatial, spatial + 1};
  Ints extents{stored.shape()[spatial] * stored.shape()[spatial + 1], 1};
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    order.push_back(axis);
    extents.push_back(stored.shape()[axis]);
  }
  return {Shape(std::move(extents)), permuted(stored, order)};
}

void add_bias(const LayerCall& call, std::int64_t channels, std::vector<ValueId>& inputs) {
  if (!call.has("bias")) return;
  if (const Shape& shape = call.weight("bias", 1).shape(); shape[0] != channels)
    throw FormatError(fmt::format("its bias has {} values; expected {}", shape[0], channels));
  inputs.push_back(call.to.stored(call.weights.at("bias")));
}

Feature convolve(LayerCall& call, const Feature& x, const std::string& part, const Kernel& kernel, const Window& window,
                 std::int64_t group, bool with_bias) {
  std::vector<ValueId> inputs{x.id, call.to.constant(call.part(part), kernel.shape, kernel.values)};
  if (with_bias) add_bias(call, kernel.shape[0], inputs);
  return {call.to.add(
              "Conv", call.layer.name, std::move(inputs),
              {{"strides", window.strides}, {"pads", window.pads}, {"dilations", window.dilations}, {"group", group}}),
          x.moved};
}

Feature channels_in(const LayerCall& call, std::size_t spatial) {
  return call.to.channels_second(call.x(), call.to.channels_first(call.settings), spatial, call.part("input"));
}

Window window_of(const LayerCall& call, const Feature& x, const Ints& kernel) {
  const Ints& shape = call.to.shape(x).extents();
  return window(call.settings, {shape.begin() + 2, shape.end()}, kernel,
                call.settings.extents({"strides", "subsample", "subsample_length"}, kernel.size(), 1),
                call.settings.extents({"dilation_rate", "atrous_rate"}, kernel.size(), 1));
}

}  // namespace

template <std::size_t spatial>
Feature lower_convolution(LayerCall& call) {
  const Feature x = channels_in(call, spatial);
  const Kernel kernel = convolution_kernel(call, spatial, !x.moved);
  const std::int64_t group = call.settings.integer({"groups"}, 1);
  return activate(call, convolve(call, x, "kernel", kernel, window_of(call, x, kernel.extents()), group, true));
}

template <std::size_t spatial>
Feature lower_depthwise(LayerCall& call) {
  const Feature x = channels_in(call, spatial);
  const Kernel kernel = depthwise_kernel(call, spatial, !x.moved);
  const std::int64_t group = call.to.shape(x)[1];
  return activate(call,
                  convolve(call, x, "depthwise_kernel", kernel, window_of(call, x, kernel.extents()), group, true));
}

template <std::size_t spatial>
Feature lower_separable(LayerCall& call) {
  Feature x = channels_in(call, spatial);
  const Kernel depthwise = depthwise_kernel(call, spatial, !x.moved);
  const std::int64_t group = call.to.shape(x)[1];
  x = convolve(call, x, "depthwise_kernel", depthwise, window_of(call, x, depthwise.extents()), group, false);
  const Array& stored = call.weight("pointwise_kernel", spatial + 2);
  Ints extents{stored.shape()[spatial + 1], stored.shape()[spatial]};
  std::vector<std::size_t> order{spatial + 1, spatial};
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    order.push_back(axis);
    extents.push_back(stored.shape()[axis]);
  }
  const Kernel pointwise{Shape(std::move(extents)), permuted(stored, order)};
  return activate(call, convolve(call, x, "pointwise_kernel", pointwise, Window::point(spatial), 1, true));
}

/// The gradient of a convolution from the output's size to the input's: its padding is what that convolution pads.
template <std::size_t spatial>
Feature lower_transposed(LayerCall& call) {
  const Feature x = channels_in(call, spatial);
  if (call.settings.find({"output_padding"}) != nullptr) throw UnsupportedError("output_padding is not supported");
  const Array& stored = call.weight("kernel", spatial + 2);  // (spatial..., out, in)
  std::vector<std::size_t> order{spatial + 1, spatial};
  Ints extents{stored.shape()[spatial + 1], stored.shape()[spatial]};
  const Ints strides = call.settings.extents({"strides"}, spatial, 1);
  const Ints dilations = call.settings.extents({"dilation_rate"}, spatial, 1);
  const bool same = padding_of(call.settings) == Padding::same;
  Ints pads(2 * spatial), more(spatial);
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    order.push_back(axis);
    const std::int64_t kernel = stored.shape()[axis];
    extents.push_back(kernel);
    const std::int64_t surplus = (kernel - 1) * dilations[axis] + 1 - strides[axis];
    const std::int64_t cut = same ? std::max<std::int64_t>(surplus, 0) : 0;
    pads[axis] = cut / 2;
    pads[spatial + axis] = cut - cut / 2;
    more[axis] = std::max<std::int64_t>(-surplus, 0);
  }
  const std::int64_t channels = extents[1];
  std::vector<ValueId> inputs{x.id, call.to.constant(call.part("kernel"), Shape(extents), permuted(stored, order))};
  add_bias(call, channels, inputs);
  const ValueId y = call.to.add(
      "ConvTranspose", call.layer.name, std::move(inputs),
      {{"strides", strides}, {"dilations", dilations}, {"pads", std::move(pads)}, {"output_padding", std::move(more)}});
  return activate(call, {y, x.moved});
}

/// Along the last axis: of a matrix a product, else a convolution with kernels of one element.
Feature lower_dense(LayerCall& call) {
  constexpr std::array<std::size_t, 2> kTransposed{1, 0};
  const Array& stored = call.weight("kernel", 2);
  const std::int64_t in = stored.shape()[0], out = stored.shape()[1];
  Feature x = call.to.relaid(call.x(), true, call.part("input"));
  const std::size_t rank = call.to.rank(x);
  if (rank < 2 || call.to.shape(x)[1] != in)
    throw FormatError(
        fmt::format("its input has shape {}; its kernel expects {} values", Shape(call.to.keras_shape(x)).text(), in));
  if (rank > 2) {
    Ints extents(rank, 1);
    extents[0] = out;
    extents[1] = in;
    const Kernel kernel{Shape(std::move(extents)), permuted(stored, kTransposed)};
    return activate(call, convolve(call, x, "kernel", kernel, Window::point(rank - 2), 1, true));
  }
  std::vector<ValueId> inputs{x.id,
                              call.to.constant(call.part("kernel"), Shape{out, in}, permuted(stored, kTransposed))};
  add_bias(call, out, inputs);
  return activate(call,
                  {call.to.add("Gemm", call.layer.name, std::move(inputs), {{"transB", std::int64_t{1}}}), false});
}

template Feature lower_convolution<1>(LayerCall&);
template Feature lower_convolution<2>(LayerCall&);
template Feature lower_convolution<3>(LayerCall&);
template Feature lower_depthwise<1>(LayerCall&);
template Feature lower_depthwise<2>(LayerCall&);
template Feature lower_separable<1>(LayerCall&);
template Feature lower_separable<2>(LayerCall&);
template Feature lower_transposed<1>(LayerCall&);
template Feature lower_transposed<2>(LayerCall&);
template Feature lower_transposed<3>(LayerCall&);

}  // namespace shiftnorm::formats::keras
