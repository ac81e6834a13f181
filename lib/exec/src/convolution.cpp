#include "convolution.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "onednn.hpp"
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

dnnl::convolution_forward::desc describe(const ConvolutionShape& s, const memory::desc& weights_dims, bool bias,
                                         std::int64_t block, std::int64_t source_block) {
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
  return bias ? dnnl::convolution_forward::desc(kind, algorithm, src, weights, bias_desc, dst, s.window.strides,
                                                dilations, s.window.pads_begin, pads_end)
              : dnnl::convolution_forward::desc(kind, algorithm, src, weights, dst, s.window.strides, dilations,
                                                s.window.pads_begin, pads_end);
}

/// Weights in the order that a primitive wants, and its bias: the same for every form of it.
struct Constants {
  AlignedVector<float> weights, bias;
  double operations = 0;
};

/// plain: how `weights` lie.
template <class PrimitiveDesc>
std::shared_ptr<const Constants> constants_of(const PrimitiveDesc& pd, const memory::desc& plain, const Tensor& weights,
                                              const Tensor* bias) {
  auto out = std::make_shared<Constants>();
  out->weights.assign(pd.weights_desc().get_size() / sizeof(float), 0.0f);
  // Every weight meets every pixel of the result, of a transposed convolution every pixel of the source.
  const bool forward = std::is_same_v<PrimitiveDesc, dnnl::convolution_forward::primitive_desc>;
  const memory::dims met = (forward ? pd.dst_desc() : pd.src_desc()).dims();
  out->operations = 2.0 * static_cast<double>(weights.shape.elements());
  for (std::size_t axis = 2; axis < met.size(); ++axis) out->operations *= static_cast<double>(met[axis]);
  dnnl::stream stream(cpu_engine());
  memory from(plain, cpu_engine(), const_cast<float*>(weights.values.data()));
  memory to(pd.weights_desc(), cpu_engine(), out->weights.data());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  if (bias != nullptr) out->bias = bias->values;
  return out;
}

/// A convolution or transposed convolution with its constants.
template <class Primitive>
class Weighted : public PrimitiveKernel<Primitive> {
 public:
  Weighted(const typename Primitive::primitive_desc& pd, std::shared_ptr<const Constants> constants)
      : PrimitiveKernel<Primitive>(pd), constants_(std::move(constants)) {}

  double operations() const override { return constants_->operations; }

 protected:
  void bind_others(BoundPrimitive& bound) const override {
    // const_cast: oneDNN's handles are not const; weights are only read.
    const auto bind = [&bound](int argument, const memory::desc& desc, const AlignedVector<float>& values) {
      bound.bind(argument, desc, const_cast<float*>(values.data()));
    };
    bind(DNNL_ARG_WEIGHTS, this->pd().weights_desc(), constants_->weights);
    if (!constants_->bias.empty()) bind(DNNL_ARG_BIAS, this->pd().bias_desc(), constants_->bias);
  }

  std::shared_ptr<const Constants> constants_;
};

bool just_in_time(const dnnl::convolution_forward::primitive_desc& pd) {
  const std::string name = pd.impl_info_str();
  return name.find("gemm") == std::string::npos && name.find("ref") == std::string::npos;
}

memory::desc per_channel(const memory::desc& result) {
  memory::dims dims(result.dims().size(), 1);
  dims[1] = result.dims()[1];
  memory::dims strides(dims.size(), 1);
  strides[0] = dims[1];
  return {dims, memory::data_type::f32, strides};
}

/// Post-operations round one after the other, as the normalisation does. None for bounds that oneDNN does not have.
std::optional<dnnl::post_ops> post_operations(const Epilogue& e, const memory::desc& result) {
  dnnl::post_ops out;
  if (e.set >= 0) {
    out.append_binary(dnnl::algorithm::binary_mul, per_channel(result));
    out.append_binary(dnnl::algorithm::binary_add, per_channel(result));
  }
  if (e.residual) out.append_binary(dnnl::algorithm::binary_add, result);
  if (e.low && e.high)
    out.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, *e.low, *e.high);
  else if (e.low == 0.0f)
    out.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  else if (e.low || e.high)
    return std::nullopt;
  return out;
}

class Convolution final : public Weighted<dnnl::convolution_forward> {
 public:
  using Descriptor = dnnl::convolution_forward::desc;
  using PrimitiveDescriptor = dnnl::convolution_forward::primitive_desc;

  Convolution(const Descriptor& desc, const PrimitiveDescriptor& pd, std::shared_ptr<const Constants> constants,
              const Epilogue& epilogue = {})
      : Weighted(pd, std::move(constants)), desc_(desc), epilogue_(epilogue) {}

  void run(const KernelArguments& a) const override {
    std::array<const void*, 6> data{a.src[0], a.dst, a.scratch};
    std::size_t n = 3;
    if (epilogue_.set >= 0) {
      const Affine& affine = a.affines[static_cast<std::size_t>(epilogue_.set)];
      data[n++] = affine.scale.data();
      data[n++] = affine.shift.data();
    }
    if (epilogue_.residual) data[n++] = a.src[1];
    static_cast<BoundPrimitive*>(a.worker_state)->run(data);
  }

  std::unique_ptr<Kernel> with_epilogue(const Epilogue& epilogue) const override {
    if (!just_in_time(pd())) return nullptr;
    const std::optional<dnnl::post_ops> operations = post_operations(epilogue, pd().dst_desc());
    if (!operations) return nullptr;
    dnnl::primitive_attr attributes = user_scratchpad();
    attributes.set_post_ops(*operations);
    const PrimitiveDescriptor fused(desc_, attributes, cpu_engine(), true);
    // Another implementation adds up in another order.
    if (!fused || std::string_view(fused.impl_info_str()) != pd().impl_info_str() ||
        fused.weights_desc() != pd().weights_desc())
      return nullptr;
    return std::make_unique<Convolution>(desc_, fused, constants_, epilogue);
  }

 private:
  void bind_others(BoundPrimitive& bound) const override {
    Weighted::bind_others(bound);
    int number = 0;
    const auto bind = [&](const memory::desc& desc) {
      bound.bind(DNNL_ARG_ATTR_MULTIPLE_POST_OP(number++) | DNNL_ARG_SRC_1, desc);
    };
    if (epilogue_.set >= 0) {
      bind(per_channel(pd().dst_desc()));
      bind(per_channel(pd().dst_desc()));
    }
    if (epilogue_.residual) bind(pd().dst_desc());
  }

  Descriptor desc_;
  Epilogue epilogue_;
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

}  // namespace

CompiledConvolution compile_convolution(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                        std::int64_t block, bool source_is_plain) {
  if (winograd_pays(shape, block)) return {compile_winograd(shape, weights, bias, block), false};
  const memory::desc plain = plain_weights(weights, shape.groups);
  bool plain_source = false;
  Convolution::Descriptor desc = describe(shape, plain, bias != nullptr, block, block);
  Convolution::PrimitiveDescriptor pd;
  if (source_is_plain && shape.groups == 1 && shape.src[1] <= 3) {
    const Convolution::Descriptor first = describe(shape, plain, bias != nullptr, block, 1);
    pd = Convolution::PrimitiveDescriptor(first, user_scratchpad(), cpu_engine(), true);
    plain_source = pd && just_in_time(pd);
    if (plain_source) desc = first;
  }
  if (!plain_source) pd = Convolution::PrimitiveDescriptor(desc, user_scratchpad(), cpu_engine());
  // Groups that are no whole blocks (ResNeXt's 4 channels, many of RegNet's) have plain loops alone: products with
  // zeros are faster by far. Depthwise convolutions have kernels of their own.
  const bool depthwise = shape.groups == shape.src[1];
  if (shape.groups > 1 && !depthwise && !just_in_time(pd)) {
    const std::int64_t joined = groups_to_join(shape, block);
    ConvolutionShape wide = shape;
    wide.groups /= joined;
    if (joined > 1) return compile_convolution(wide, join_groups(weights, shape.groups, joined), bias, block, false);
  }
  return {std::make_unique<Convolution>(desc, pd, constants_of(pd, plain, weights, bias)), plain_source};
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
  return std::make_unique<Weighted<Deconvolution>>(pd, constants_of(pd, plain, weights, bias));
}

}  // namespace shiftnorm::exec
