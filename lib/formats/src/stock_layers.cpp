#include "stock_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/adaptive_pool.hpp"
#include "shiftnorm/graph/shapes.hpp"

// Source: torch/nn/modules/*.py: the attributes that each class's __init__ sets, and what forward() does with them.
namespace shiftnorm::formats {
namespace {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

ValueId constant(Chain& chain, const std::string& name, Tensor tensor) {
  const ValueId id = chain.graph.add_parameter(name, tensor.shape);
  chain.graph.value(id).tensor = std::move(tensor);
  return id;
}
ValueId scalar(Chain& chain, const std::string& name, double value) {
  return constant(chain, name, Tensor(Shape{}, std::vector{static_cast<float>(value)}));
}

ValueId parameter(Chain& chain, const StockLayer& layer, std::string_view part) {
  const auto at = layer.tensors.find(part);
  if (at == layer.tensors.end()) throw FormatError(fmt::format("has no {}", part));
  return chain.graph.add_parameter(fmt::format("{}.{}", layer.name, part), at->second);
}

void require(bool holds, std::string_view what) {
  if (!holds) throw UnsupportedError(fmt::format("{} is not supported", what));
}

std::size_t axes_of(const StockLayer& layer) { return layer.type->rank - 2; }

Ints twice(const Ints& pads) {
  Ints both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  return both;
}

/// Pads behind the axes of images and channels: `begin` and `end` per spatial axis.
void add_pad(Chain& chain, const StockLayer& layer, const Ints& begin, const Ints& end, const std::string& mode,
             double value) {
  Ints pads(2 * chain.rank, 0);
  std::copy(begin.begin(), begin.end(), pads.begin() + static_cast<std::ptrdiff_t>(chain.rank - begin.size()));
  std::copy(end.begin(), end.end(), pads.end() - static_cast<std::ptrdiff_t>(end.size()));
  std::vector<ValueId> inputs{chain.x, chain.graph.add_constant(layer.name + ".pads", pads)};
  if (mode == "constant") inputs.push_back(scalar(chain, layer.name + ".value", value));
  chain.x = chain.graph.add("Pad", layer.name + ".pad", std::move(inputs), {{"mode", mode}});
}

struct PadMode {
  std::string_view torch, onnx;
};
constexpr std::array kPadModes{PadMode{"zeros", "constant"}, PadMode{"reflect", "reflect"},
                               PadMode{"replicate", "edge"}, PadMode{"circular", "wrap"}};

void add_conv(Chain& chain, const StockLayer& layer) {
  const std::size_t n = axes_of(layer);
  const auto weights = layer.tensors.find("weight");
  if (weights == layer.tensors.end() || weights->second.rank() != n + 2)
    throw FormatError(fmt::format("has no weight of {} axes", n + 2));
  const Ints kernel(weights->second.extents().begin() + 2, weights->second.extents().end());
  const Ints dilation = layer.integers("dilation", n, Ints(n, 1));
  Ints begin(n, 0), end(n, 0);
  const auto padding = layer.attributes.find("padding");
  if (padding != layer.attributes.end() && std::holds_alternative<std::string>(padding->second)) {
    const std::string text = layer.text("padding", "");
    require(text == "same" || text == "valid", fmt::format("padding '{}'", printable(text)));
    for (std::size_t i = 0; i < n && text == "same"; ++i) {
      const std::int64_t total = dilation[i] * (kernel[i] - 1);
      begin[i] = total / 2;
      end[i] = total - begin[i];
    }
  } else {
    begin = end = layer.integers("padding", n, Ints(n, 0));
  }
  const std::string mode = layer.text("padding_mode", "zeros");
  const auto* const row =
      std::find_if(kPadModes.begin(), kPadModes.end(), [&mode](const PadMode& m) { return m.torch == mode; });
  require(row != kPadModes.end(), fmt::format("padding_mode '{}'", printable(mode)));
  if (mode != "zeros") {
    add_pad(chain, layer, begin, end, std::string(row->onnx), 0);
    begin = end = Ints(n, 0);
  }
  begin.insert(begin.end(), end.begin(), end.end());
  std::vector<ValueId> inputs{chain.x, parameter(chain, layer, "weight")};
  if (layer.tensors.contains("bias")) inputs.push_back(parameter(chain, layer, "bias"));
  chain.x = chain.graph.add("Conv", layer.name, std::move(inputs),
                            {{"strides", layer.integers("stride", n, Ints(n, 1))},
                             {"pads", begin},
                             {"dilations", dilation},
                             {"group", layer.integer("groups", 1)}});
}

void add_conv_transpose(Chain& chain, const StockLayer& layer) {
  const std::size_t n = axes_of(layer);
  std::vector<ValueId> inputs{chain.x, parameter(chain, layer, "weight")};
  if (layer.tensors.contains("bias")) inputs.push_back(parameter(chain, layer, "bias"));
  chain.x = chain.graph.add("ConvTranspose", layer.name, std::move(inputs),
                            {{"strides", layer.integers("stride", n, Ints(n, 1))},
                             {"pads", twice(layer.integers("padding", n, Ints(n, 0)))},
                             {"output_padding", layer.integers("output_padding", n, Ints(n, 0))},
                             {"dilations", layer.integers("dilation", n, Ints(n, 1))},
                             {"group", layer.integer("groups", 1)}});
}

void add_batch_norm(Chain& chain, const StockLayer& layer) {
  require(layer.tensors.contains("running_mean") && layer.tensors.contains("running_var"),
          "a BatchNorm that keeps no running statistics");
  const Shape shape = layer.tensors.at("running_mean");
  const auto elements = static_cast<std::size_t>(shape.elements());
  std::vector<ValueId> inputs{chain.x};
  // Constants without a name: no file holds them.
  for (const auto& [part, value] : {std::pair{"weight", 1.0f}, std::pair{"bias", 0.0f}})
    inputs.push_back(layer.tensors.contains(part)
                         ? parameter(chain, layer, part)
                         : constant(chain, "", Tensor(shape, std::vector<float>(elements, value))));
  for (const char* part : {"running_mean", "running_var"}) inputs.push_back(parameter(chain, layer, part));
  // momentum=None asks for a cumulative average; a graph has no word for it but the default.
  chain.x = chain.graph.add("BatchNormalization", layer.name, std::move(inputs),
                            {{"epsilon", static_cast<float>(layer.number("eps", 1e-5))},
                             {"momentum", static_cast<float>(1.0 - layer.number("momentum", 0.1))}});
}

void add_linear(Chain& chain, const StockLayer& layer) {
  std::vector<ValueId> inputs{chain.x, parameter(chain, layer, "weight")};
  if (layer.tensors.contains("bias")) inputs.push_back(parameter(chain, layer, "bias"));
  chain.x = chain.graph.add("Gemm", layer.name, std::move(inputs), {{"transB", std::int64_t{1}}});
}

void add_flatten(Chain& chain, const StockLayer& layer) {
  const std::int64_t end = layer.integer("end_dim", -1);
  require(layer.integer("start_dim", 1) == 1 && (end == -1 || end == static_cast<std::int64_t>(chain.rank) - 1),
          "Flatten that leaves an axis behind that of the images");
  chain.x = chain.graph.add("Flatten", layer.name, {chain.x});
  chain.rank = 2;
}

void add_nothing(Chain& /*chain*/, const StockLayer& /*layer*/) {}

void add_pool(Chain& chain, const StockLayer& layer, const std::string& op,
              std::map<std::string, graph::Attribute> more) {
  const std::size_t n = axes_of(layer);
  const Ints kernel = layer.integers("kernel_size", n, {});
  more.insert({{"kernel_shape", kernel},
               {"strides", layer.integers("stride", n, kernel)},
               {"pads", twice(layer.integers("padding", n, Ints(n, 0)))},
               {"ceil_mode", std::int64_t{layer.flag("ceil_mode", false) ? 1 : 0}}});
  chain.x = chain.graph.add(op, layer.name, {chain.x}, std::move(more));
}

void add_max_pool(Chain& chain, const StockLayer& layer) {
  require(!layer.flag("return_indices", false), "return_indices");
  const std::size_t n = axes_of(layer);
  add_pool(chain, layer, "MaxPool", {{"dilations", layer.integers("dilation", n, Ints(n, 1))}});
}

void add_average_pool(Chain& chain, const StockLayer& layer) {
  require(layer.none("divisor_override"), "divisor_override");
  add_pool(chain, layer, "AveragePool",
           {{"count_include_pad", std::int64_t{layer.flag("count_include_pad", true) ? 1 : 0}}});
}

/// Spatial extents of the chain's value; those of an input that is not known yet are 0.
Ints extents_here(Chain& chain) {
  const Shape& input = *chain.graph.value(chain.graph.input()).shape;
  if (input.elements() == 0) return Ints(chain.rank - 2, 0);
  graph::infer_shapes(chain.graph);
  const Ints& all = chain.graph.value(chain.x).shape->extents();
  return {all.begin() + 2, all.end()};
}

void add_adaptive_average_pool(Chain& chain, const StockLayer& layer) {
  const std::size_t n = axes_of(layer);
  const Ints extents = extents_here(chain);
  Ints cells = layer.integers("output_size", n, {});
  for (std::size_t i = 0; i < n; ++i)
    if (cells[i] == 0) cells[i] = extents[i];
  const bool everything = std::all_of(cells.begin(), cells.end(), [](std::int64_t c) { return c == 1; });
  const bool unknown = std::find(extents.begin(), extents.end(), 0) != extents.end();
  // The windows follow from the extents. Until they are known this is in no table, so that nothing can run it.
  chain.x = unknown && !everything ? chain.graph.add("AdaptiveAveragePool", layer.name, {chain.x})
                                   : graph::add_adaptive_average_pool(chain.graph, layer.name, chain.x, extents, cells);
}

void add_adaptive_max_pool(Chain& chain, const StockLayer& layer) {
  const Ints cells = layer.integers("output_size", axes_of(layer), {});
  require(std::all_of(cells.begin(), cells.end(), [](std::int64_t c) { return c == 1; }),
          "adaptive max pooling to more than one cell");
  chain.x = chain.graph.add("GlobalMaxPool", layer.name, {chain.x});
}

void add_upsample(Chain& chain, const StockLayer& layer) {
  struct Mode {
    std::string_view torch;
    std::size_t axes;  // 0: any
    std::string_view onnx;
  };
  constexpr std::array kModes{Mode{"nearest", 0, "nearest"}, Mode{"linear", 1, "linear"}, Mode{"bilinear", 2, "linear"},
                              Mode{"trilinear", 3, "linear"}, Mode{"bicubic", 2, "cubic"}};
  require(chain.rank > 2, "Upsample without spatial axes");
  const std::size_t n = chain.rank - 2;
  const std::string name = layer.text("mode", "nearest");
  const auto* const mode = std::find_if(kModes.begin(), kModes.end(),
                                        [&](const Mode& m) { return m.torch == name && (m.axes == 0 || m.axes == n); });
  require(mode != kModes.end(), fmt::format("mode '{}'", printable(name)));
  require(!layer.flag("recompute_scale_factor", false), "recompute_scale_factor");
  const bool nearest = mode->onnx == "nearest";
  const bool corners = layer.flag("align_corners", false);
  std::map<std::string, graph::Attribute> attributes{
      {"mode", std::string(mode->onnx)},
      {"coordinate_transformation_mode", std::string(nearest   ? "asymmetric"
                                                     : corners ? "align_corners"
                                                               : "half_pixel")},
      {"nearest_mode", std::string("floor")},
      {"cubic_coeff_a", -0.75f}};
  std::vector<ValueId> inputs{chain.x, graph::kNone};
  if (!layer.none("size")) {
    Ints axes;
    for (std::size_t i = 0; i < n; ++i) axes.push_back(static_cast<std::int64_t>(i) + 2);
    attributes.emplace("axes", axes);
    inputs.push_back(graph::kNone);
    inputs.push_back(chain.graph.add_constant(layer.name + ".sizes", layer.integers("size", n, {})));
  } else {
    const double scale = layer.number("scale_factor", 0);
    require(scale > 0, "Upsample without one scale_factor");
    std::vector<float> scales(chain.rank, static_cast<float>(scale));
    scales[0] = scales[1] = 1;
    inputs.push_back(
        constant(chain, layer.name + ".scales", Tensor(Shape{static_cast<std::int64_t>(chain.rank)}, scales)));
  }
  chain.x = chain.graph.add("Resize", layer.name, std::move(inputs), std::move(attributes));
}

void add_padding(Chain& chain, const StockLayer& layer, const std::string& mode) {
  const std::size_t n = axes_of(layer);
  const Ints sides = layer.integers("padding", 2 * n, {});  // the last axis comes first
  Ints begin(n), end(n);
  for (std::size_t i = 0; i < n; ++i) {
    begin[n - 1 - i] = sides[2 * i];
    end[n - 1 - i] = sides[2 * i + 1];
  }
  add_pad(chain, layer, begin, end, mode, layer.number("value", 0));
}
void add_constant_padding(Chain& chain, const StockLayer& layer) { add_padding(chain, layer, "constant"); }
void add_reflection_padding(Chain& chain, const StockLayer& layer) { add_padding(chain, layer, "reflect"); }
void add_replication_padding(Chain& chain, const StockLayer& layer) { add_padding(chain, layer, "edge"); }

template <const char* op>
void add_plain(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add(op, layer.name, {chain.x});
}
constexpr char kRelu[] = "Relu", kSigmoid[] = "Sigmoid", kTanh[] = "Tanh", kMish[] = "Mish", kHardSwish[] = "HardSwish",
               kSoftsign[] = "Softsign", kSelu[] = "Selu";

void add_clip(Chain& chain, const StockLayer& layer) {
  const bool six = layer.type->name.ends_with("ReLU6");
  chain.x = chain.graph.add("Clip", layer.name,
                            {chain.x, scalar(chain, layer.name + ".low", layer.number("min_val", six ? 0 : -1)),
                             scalar(chain, layer.name + ".high", layer.number("max_val", six ? 6 : 1))});
}

void add_leaky_relu(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add("LeakyRelu", layer.name, {chain.x},
                            {{"alpha", static_cast<float>(layer.number("negative_slope", 0.01))}});
}
template <const char* op>
void add_alpha(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add(op, layer.name, {chain.x}, {{"alpha", static_cast<float>(layer.number("alpha", 1))}});
}
constexpr char kElu[] = "Elu", kCelu[] = "Celu";

void add_prelu(Chain& chain, const StockLayer& layer) {
  const auto weight = layer.tensors.find("weight");
  if (weight == layer.tensors.end()) throw FormatError("has no weight");
  Ints slope(chain.rank - 1, 1);
  slope[0] = weight->second.elements();
  chain.x = chain.graph.add("PRelu", layer.name,
                            {chain.x, chain.graph.add_parameter(layer.name + ".weight", Shape(std::move(slope)))});
}

void add_gelu(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add("Gelu", layer.name, {chain.x}, {{"approximate", layer.text("approximate", "none")}});
}
void add_silu(Chain& chain, const StockLayer& layer) {
  chain.x =
      chain.graph.add("Mul", layer.name, {chain.x, chain.graph.add("Sigmoid", layer.name + ".sigmoid", {chain.x})});
}
void add_hard_sigmoid(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add("HardSigmoid", layer.name, {chain.x}, {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
}
void add_softplus(Chain& chain, const StockLayer& layer) {
  require(layer.number("beta", 1) == 1.0, "Softplus with a beta other than 1");
  chain.x = chain.graph.add("Softplus", layer.name, {chain.x});
}

template <const char* op>
void add_softmax(Chain& chain, const StockLayer& layer) {
  // dim=None means axis 0 for 1 and 3 axes.
  require(!layer.none("dim") || chain.rank == 2 || chain.rank == 4, "Softmax without dim for this input");
  std::int64_t axis = layer.integer("dim", 1);
  if (axis < 0) axis += static_cast<std::int64_t>(chain.rank);
  require(axis >= 1 && axis < static_cast<std::int64_t>(chain.rank), "Softmax along this dim");
  chain.x = chain.graph.add(op, layer.name, {chain.x}, {{"axis", axis}});
}
constexpr char kSoftmax[] = "Softmax", kLogSoftmax[] = "LogSoftmax";

void add_pixel_shuffle(Chain& chain, const StockLayer& layer) {
  chain.x = chain.graph.add("DepthToSpace", layer.name, {chain.x},
                            {{"blocksize", layer.integer("upscale_factor", 0)}, {"mode", std::string("CRD")}});
}

#define NN "torch.nn.modules."  // NOLINT(cppcoreguidelines-macro-usage): literals join at compile time only so
constexpr std::array kTypes{
    StockLayerType{NN "activation.CELU", 0, add_alpha<kCelu>},
    StockLayerType{NN "activation.ELU", 0, add_alpha<kElu>},
    StockLayerType{NN "activation.GELU", 0, add_gelu},
    StockLayerType{NN "activation.Hardsigmoid", 0, add_hard_sigmoid},
    StockLayerType{NN "activation.Hardswish", 0, add_plain<kHardSwish>},
    StockLayerType{NN "activation.Hardtanh", 0, add_clip},
    StockLayerType{NN "activation.LeakyReLU", 0, add_leaky_relu},
    StockLayerType{NN "activation.LogSoftmax", 0, add_softmax<kLogSoftmax>},
    StockLayerType{NN "activation.Mish", 0, add_plain<kMish>},
    StockLayerType{NN "activation.PReLU", 0, add_prelu},
    StockLayerType{NN "activation.ReLU", 0, add_plain<kRelu>},
    StockLayerType{NN "activation.ReLU6", 0, add_clip},
    StockLayerType{NN "activation.SELU", 0, add_plain<kSelu>},
    StockLayerType{NN "activation.SiLU", 0, add_silu},
    StockLayerType{NN "activation.Sigmoid", 0, add_plain<kSigmoid>},
    StockLayerType{NN "activation.Softmax", 0, add_softmax<kSoftmax>},
    StockLayerType{NN "activation.Softmax2d", 4, add_softmax<kSoftmax>},
    StockLayerType{NN "activation.Softplus", 0, add_softplus},
    StockLayerType{NN "activation.Softsign", 0, add_plain<kSoftsign>},
    StockLayerType{NN "activation.Tanh", 0, add_plain<kTanh>},
    StockLayerType{NN "batchnorm.BatchNorm1d", 0, add_batch_norm},
    StockLayerType{NN "batchnorm.BatchNorm2d", 4, add_batch_norm},
    StockLayerType{NN "batchnorm.BatchNorm3d", 5, add_batch_norm},
    StockLayerType{NN "batchnorm.SyncBatchNorm", 0, add_batch_norm},
    StockLayerType{NN "conv.Conv1d", 3, add_conv},
    StockLayerType{NN "conv.Conv2d", 4, add_conv},
    StockLayerType{NN "conv.Conv3d", 5, add_conv},
    StockLayerType{NN "conv.ConvTranspose1d", 3, add_conv_transpose},
    StockLayerType{NN "conv.ConvTranspose2d", 4, add_conv_transpose},
    StockLayerType{NN "conv.ConvTranspose3d", 5, add_conv_transpose},
    StockLayerType{NN "dropout.AlphaDropout", 0, add_nothing},
    StockLayerType{NN "dropout.Dropout", 0, add_nothing},
    StockLayerType{NN "dropout.Dropout1d", 0, add_nothing},
    StockLayerType{NN "dropout.Dropout2d", 0, add_nothing},
    StockLayerType{NN "dropout.Dropout3d", 0, add_nothing},
    StockLayerType{NN "dropout.FeatureAlphaDropout", 0, add_nothing},
    StockLayerType{NN "flatten.Flatten", 0, add_flatten},
    StockLayerType{NN "linear.Identity", 0, add_nothing},
    StockLayerType{NN "linear.Linear", 2, add_linear},
    StockLayerType{NN "padding.ConstantPad1d", 3, add_constant_padding},
    StockLayerType{NN "padding.ConstantPad2d", 4, add_constant_padding},
    StockLayerType{NN "padding.ConstantPad3d", 5, add_constant_padding},
    StockLayerType{NN "padding.ReflectionPad1d", 3, add_reflection_padding},
    StockLayerType{NN "padding.ReflectionPad2d", 4, add_reflection_padding},
    StockLayerType{NN "padding.ReplicationPad1d", 3, add_replication_padding},
    StockLayerType{NN "padding.ReplicationPad2d", 4, add_replication_padding},
    StockLayerType{NN "padding.ReplicationPad3d", 5, add_replication_padding},
    StockLayerType{NN "padding.ZeroPad2d", 4, add_constant_padding},
    StockLayerType{NN "pixelshuffle.PixelShuffle", 4, add_pixel_shuffle},
    StockLayerType{NN "pooling.AdaptiveAvgPool1d", 3, add_adaptive_average_pool},
    StockLayerType{NN "pooling.AdaptiveAvgPool2d", 4, add_adaptive_average_pool},
    StockLayerType{NN "pooling.AdaptiveAvgPool3d", 5, add_adaptive_average_pool},
    StockLayerType{NN "pooling.AdaptiveMaxPool1d", 3, add_adaptive_max_pool},
    StockLayerType{NN "pooling.AdaptiveMaxPool2d", 4, add_adaptive_max_pool},
    StockLayerType{NN "pooling.AdaptiveMaxPool3d", 5, add_adaptive_max_pool},
    StockLayerType{NN "pooling.AvgPool1d", 3, add_average_pool},
    StockLayerType{NN "pooling.AvgPool2d", 4, add_average_pool},
    StockLayerType{NN "pooling.AvgPool3d", 5, add_average_pool},
    StockLayerType{NN "pooling.MaxPool1d", 3, add_max_pool},
    StockLayerType{NN "pooling.MaxPool2d", 4, add_max_pool},
    StockLayerType{NN "pooling.MaxPool3d", 5, add_max_pool},
    StockLayerType{NN "upsampling.Upsample", 0, add_upsample},
    StockLayerType{NN "upsampling.UpsamplingBilinear2d", 4, add_upsample},
    StockLayerType{NN "upsampling.UpsamplingNearest2d", 4, add_upsample},
};
#undef NN

// What determines the channels of the input, by layer.
constexpr std::array<std::string_view, 3> kInputChannels{"in_channels", "in_features", "num_features"};

template <class T>
const T* typed(const StockLayer& layer, std::string_view key) {
  const auto at = layer.attributes.find(key);
  if (at == layer.attributes.end() || std::holds_alternative<std::monostate>(at->second)) return nullptr;
  const T* value = std::get_if<T>(&at->second);
  if (value == nullptr) throw FormatError(fmt::format("attribute '{}' has another type than this layer gives it", key));
  return value;
}

}  // namespace

bool StockLayer::flag(std::string_view key, bool absent) const {
  const bool* value = typed<bool>(*this, key);
  return value == nullptr ? absent : *value;
}
std::int64_t StockLayer::integer(std::string_view key, std::int64_t absent) const {
  const auto* value = typed<std::int64_t>(*this, key);
  return value == nullptr ? absent : *value;
}
double StockLayer::number(std::string_view key, double absent) const {
  const auto at = attributes.find(key);
  if (at != attributes.end() && std::holds_alternative<std::int64_t>(at->second))
    return static_cast<double>(std::get<std::int64_t>(at->second));
  const auto* value = typed<double>(*this, key);
  return value == nullptr ? absent : *value;
}
std::string StockLayer::text(std::string_view key, std::string absent) const {
  if (const auto* value = typed<std::string>(*this, key)) return *value;
  return absent;
}
bool StockLayer::none(std::string_view key) const {
  const auto at = attributes.find(key);
  return at == attributes.end() || std::holds_alternative<std::monostate>(at->second);
}
std::vector<std::int64_t> StockLayer::integers(std::string_view key, std::size_t count, Ints absent) const {
  const auto at = attributes.find(key);
  Ints values = std::move(absent);
  if (at != attributes.end() && std::holds_alternative<std::int64_t>(at->second))
    values.assign(count, std::get<std::int64_t>(at->second));
  else if (const auto* given = typed<Ints>(*this, key))
    values = given->size() == 1 ? Ints(count, given->front()) : *given;
  if (values.size() != count)
    throw FormatError(fmt::format("attribute '{}' has {} numbers; expected {}", key, values.size(), count));
  return values;
}

const StockLayerType* find_stock_layer(std::string_view class_name) {
  const auto* const at = std::find_if(kTypes.begin(), kTypes.end(),
                                      [class_name](const StockLayerType& t) { return t.name == class_name; });
  return at == kTypes.end() ? nullptr : &*at;
}

std::int64_t input_channels(const StockLayer& layer) {
  for (const std::string_view key : kInputChannels)
    if (const std::int64_t channels = layer.integer(key, 0); channels != 0) return channels;
  return 0;
}

}  // namespace shiftnorm::formats
