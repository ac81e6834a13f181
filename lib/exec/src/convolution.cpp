#include "convolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "depthwise.hpp"
#include "onednn.hpp"
#include "pointwise.hpp"
#include "winograd.hpp"

namespace shiftnorm::exec {
namespace {

using dnnl::memory;

memory::desc plain_weights(const Tensor& weights, std::int64_t groups) {
  std::vector<std::int64_t> dims = weights.shape.extents();
  if (groups > 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  memory::dims strides(dims.size(), 1);
  for (std::size_t i = dims.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
  return {dims, memory::data_type::f32, strides};
}

/// ConvTranspose's [inputs, outputs / groups, kernel] seen as [groups,] outputs, inputs, kernel.
memory::desc plain_transposed_weights(const Tensor& weights, std::int64_t groups) {
  const std::int64_t inputs = weights.shape[0] / groups, outputs = weights.shape[1],
                     taps = weights.shape.elements_from(2);
  memory::dims dims{outputs, inputs}, strides{taps, outputs * taps};
  if (groups > 1) {
    dims.insert(dims.begin(), groups);
    strides.insert(strides.begin(), inputs * outputs * taps);
  }
  for (std::size_t axis = 2; axis < weights.shape.rank(); ++axis) {
    dims.push_back(weights.shape[axis]);
    strides.push_back(weights.shape.elements_from(axis + 1));
  }
  return {dims, memory::data_type::f32, strides};
}

dnnl::convolution_forward::primitive_desc describe(const ConvolutionShape& s, const memory::desc& weights_dims,
                                                   bool bias, std::int64_t block, std::int64_t source_block) {
  const memory::desc weights(weights_dims.dims(), memory::data_type::f32, memory::format_tag::any);
  memory::dims dilations = s.window.dilations, pads_end(s.window.pads_end);
  for (std::size_t i = 0; i < dilations.size(); ++i) {
    // oneDNN counts dilation from 0 and checks the output extent against the end padding, so that the padding which
    // the last window reaches is given, not the padding in the file.
    const std::int64_t reach = (s.window.kernel[i] - 1) * dilations[i] + 1;
    pads_end[i] = (s.dst[i + 2] - 1) * s.window.strides[i] + reach - s.src[i + 2] - s.window.pads_begin[i];
    --dilations[i];
  }
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const memory::desc src = memory_desc(s.src, source_block), dst = memory_desc(s.dst, block);
  const memory::desc bias_desc({s.dst[1]}, memory::data_type::f32, memory::format_tag::a);
  const auto d = bias ? dnnl::convolution_forward::desc(kind, algorithm, src, weights, bias_desc, dst, s.window.strides,
                                                        dilations, s.window.pads_begin, pads_end)
                      : dnnl::convolution_forward::desc(kind, algorithm, src, weights, dst, s.window.strides, dilations,
                                                        s.window.pads_begin, pads_end);
  return {d, user_scratchpad(), cpu_engine()};
}

/// A convolution or transposed convolution with its weights in the order that the primitive wants.
template <class Primitive>
class Weighted final : public PrimitiveKernel<Primitive> {
 public:
  /// plain: how `weights` lie.
  Weighted(const typename Primitive::primitive_desc& pd, const memory::desc& plain, const Tensor& weights,
           const Tensor* bias)
      : PrimitiveKernel<Primitive>(pd), weights_(pd.weights_desc().get_size() / sizeof(float), 0.0f) {
    // Every weight meets every pixel of the result, of a transposed convolution every pixel of the source.
    const bool forward = std::is_same_v<Primitive, dnnl::convolution_forward>;
    const memory::dims met = (forward ? pd.dst_desc() : pd.src_desc()).dims();
    operations_ = 2.0 * static_cast<double>(weights.shape.elements());
    for (std::size_t axis = 2; axis < met.size(); ++axis) operations_ *= static_cast<double>(met[axis]);
    dnnl::stream stream(cpu_engine());
    memory from(plain, cpu_engine(), const_cast<float*>(weights.values.data()));
    memory to(pd.weights_desc(), cpu_engine(), weights_.data());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    if (bias != nullptr) bias_ = bias->values;
  }

  double operations() const override { return operations_; }

 private:
  void bind_constants(BoundPrimitive& bound) const override {
    // const_cast: oneDNN's handles are not const; weights are only read.
    bound.bind(DNNL_ARG_WEIGHTS, this->pd().weights_desc(), const_cast<float*>(weights_.data()));
    if (!bias_.empty()) bound.bind(DNNL_ARG_BIAS, this->pd().bias_desc(), const_cast<float*>(bias_.data()));
  }

  AlignedVector<float> weights_, bias_;
  double operations_ = 0;
};

/// The fewest groups that fill whole blocks of channels together, so that JIT kernels take them; all of them otherwise.
std::int64_t groups_to_join(const ConvolutionShape& s, std::int64_t block) {
  const std::int64_t inputs = s.src[1] / s.groups, outputs = s.dst[1] / s.groups;
  for (std::int64_t n = 1; n < s.groups; ++n)
    if (s.groups % n == 0 && n * inputs % block == 0 && n * outputs % block == 0) return n;
  return s.groups;
}

/// Weights of `joined` neighbouring groups as those of one, with zeros where a channel does not see another.
Tensor join_groups(const Tensor& weights, std::int64_t groups, std::int64_t joined) {
  const std::int64_t outputs = weights.shape[0] / groups;
  const auto row = static_cast<std::size_t>(weights.shape.elements_from(1));
  std::vector<std::int64_t> extents = weights.shape.extents();
  extents[1] *= joined;
  Tensor wide{Shape(extents)};
  for (std::int64_t o = 0; o < weights.shape[0]; ++o) {
    const auto place = static_cast<std::size_t>(o / outputs % joined);
    std::copy_n(weights.values.data() + static_cast<std::size_t>(o) * row, row,
                wide.values.data() + (static_cast<std::size_t>(o) * static_cast<std::size_t>(joined) + place) * row);
  }
  return wide;
}

bool just_in_time(const dnnl::convolution_forward::primitive_desc& pd) {
  const std::string name = pd.impl_info_str();
  return name.find("gemm") == std::string::npos && name.find("ref") == std::string::npos;
}

/// A convolution to be compiled.
struct Wanted {
  const ConvolutionShape& shape;
  const Tensor& weights;
  const Tensor* bias;
  std::int64_t block;
  bool source_is_plain;

  [[nodiscard]] dnnl::convolution_forward::primitive_desc describe(std::int64_t source_block) const {
    return exec::describe(shape, plain_weights(weights, shape.groups), bias != nullptr, block, source_block);
  }
  [[nodiscard]] std::unique_ptr<Kernel> by_onednn(std::int64_t source_block) const {
    return std::make_unique<Weighted<dnnl::convolution_forward>>(describe(source_block),
                                                                 plain_weights(weights, shape.groups), weights, bias);
  }
};

bool takes_plain_source(const Wanted& c) {
  if (!c.source_is_plain || c.shape.groups != 1 || c.shape.src[1] > 3) return false;
  try {
    return just_in_time(c.describe(1));
  } catch (const dnnl::error&) {  // no kernel of that form
    return false;
  }
}

/// Groups that are not whole blocks (ResNeXt's 4 channels, many of RegNet's) have plain loops alone: products with
/// zeros are faster by far. Depthwise convolutions have kernels of their own.
bool joins_groups(const Wanted& c) {
  const ConvolutionShape& s = c.shape;
  return s.groups > 1 && s.groups != s.src[1] && groups_to_join(s, c.block) > 1 && !just_in_time(c.describe(c.block));
}

std::unique_ptr<Kernel> with_joined_groups(const Wanted& c) {
  const std::int64_t joined = groups_to_join(c.shape, c.block);
  ConvolutionShape wide = c.shape;
  wide.groups /= joined;
  return compile_convolution(wide, join_groups(c.weights, c.shape.groups, joined), c.bias, c.block, false).kernel;
}

/// Ways to carry out a convolution, in the order in which they are preferred: the first that fits is taken.
struct ConvolutionChoice {
  std::string_view name;
  bool (*when)(const Wanted&);  ///< null: always
  std::unique_ptr<Kernel> (*make)(const Wanted&);
  bool plain_source = false;  ///< reads a source that is not blocked
};
constexpr std::array kChoices{
    ConvolutionChoice{"winograd", [](const Wanted& c) { return winograd_pays(c.shape, c.block); },
                      [](const Wanted& c) { return compile_winograd(c.shape, c.weights, c.bias, c.block); }},
    ConvolutionChoice{"depthwise", [](const Wanted& c) { return depthwise_fits(c.shape); },
                      [](const Wanted& c) { return compile_depthwise(c.shape, c.weights, c.bias, c.block); }},
    ConvolutionChoice{"pointwise", [](const Wanted& c) { return pointwise_pays(c.shape, c.block); },
                      [](const Wanted& c) { return compile_pointwise(c.shape, c.weights, c.bias, c.block); }},
    ConvolutionChoice{"onednn-plain-source", takes_plain_source, [](const Wanted& c) { return c.by_onednn(1); }, true},
    ConvolutionChoice{"joined-groups", joins_groups, with_joined_groups},
    ConvolutionChoice{"onednn", nullptr, [](const Wanted& c) { return c.by_onednn(c.block); }},
};

}  // namespace

CompiledConvolution compile_convolution(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                        std::int64_t block, bool source_is_plain) {
  const Wanted wanted{shape, weights, bias, block, source_is_plain};
  const auto* const choice = std::find_if(kChoices.begin(), kChoices.end(), [&](const ConvolutionChoice& c) {
    return c.when == nullptr || c.when(wanted);
  });
  return {choice->make(wanted), choice->name, choice->plain_source};
}

std::string form_of(const ConvolutionShape& s) {
  const graph::Window& w = s.window;
  const std::size_t axes = w.kernel.size();
  std::string form = s.groups > 1 ? fmt::format("g{}", s.groups) : "";
  form += fmt::format("mb{}ic{}oc{}", s.src[0], s.src[1], s.dst[1]);
  for (std::size_t i = 0; i < axes; ++i) {
    const char axis = "dhw"[3 - std::min<std::size_t>(axes, 3) + i];
    form += fmt::format("i{0}{1}o{0}{2}k{0}{3}", axis, s.src[i + 2], s.dst[i + 2], w.kernel[i]);
    if (w.strides[i] != 1) form += fmt::format("s{}{}", axis, w.strides[i]);
    if (w.dilations[i] != 1) form += fmt::format("d{}{}", axis, w.dilations[i]);
    if (w.pads_begin[i] != 0) form += fmt::format("p{}{}", axis, w.pads_begin[i]);
    if (w.pads_end[i] != w.pads_begin[i]) form += fmt::format("e{}{}", axis, w.pads_end[i]);
  }
  return form;
}

std::unique_ptr<Kernel> compile_transposed_convolution(const ConvolutionShape& shape, const Tensor& weights,
                                                       const Tensor* bias, std::int64_t block) {
  const memory::desc plain = plain_transposed_weights(weights, shape.groups);
  const memory::desc any(plain.dims(), memory::data_type::f32, memory::format_tag::any);
  const memory::desc src = memory_desc(shape.src, block), dst = memory_desc(shape.dst, block);
  const memory::desc bias_desc({shape.dst[1]}, memory::data_type::f32, memory::format_tag::a);
  memory::dims dilations = shape.window.dilations;
  for (std::int64_t& d : dilations) --d;
  using Deconvolution = dnnl::deconvolution_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::deconvolution_direct;
  const graph::Window& w = shape.window;
  const auto desc = bias != nullptr ? Deconvolution::desc(kind, algorithm, src, any, bias_desc, dst, w.strides,
                                                          dilations, w.pads_begin, w.pads_end)
                                    : Deconvolution::desc(kind, algorithm, src, any, dst, w.strides, dilations,
                                                          w.pads_begin, w.pads_end);
  const Deconvolution::primitive_desc pd(desc, user_scratchpad(), cpu_engine());
  return std::make_unique<Weighted<Deconvolution>>(pd, plain, weights, bias);
}

}  // namespace shiftnorm::exec
