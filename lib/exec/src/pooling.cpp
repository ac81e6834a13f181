#include "pooling.hpp"

#include <algorithm>
#include <array>

#include "onednn.hpp"
#include "vector_moments.hpp"

namespace shiftnorm::exec {
namespace {

class GlobalAverage final : public Kernel {
 public:
  explicit GlobalAverage(const Layout& src) : src_(src) {}
  void run(const KernelArguments& a) const override {
    const auto block = static_cast<std::size_t>(src_.block), pixels = static_cast<std::size_t>(src_.pixels);
    std::array<double, 16> sum{};
    for (std::int64_t b = 0; b < src_.blocks(); ++b) {
      block_sums(a.src[0] + b * src_.pixels * src_.block, pixels, block, sum.data());
      for (std::size_t i = 0; i < block; ++i)
        a.dst[static_cast<std::size_t>(b) * block + i] = static_cast<float>(sum[i] / static_cast<double>(src_.pixels));
    }
  }

 private:
  Layout src_;
};

}  // namespace

std::unique_ptr<Kernel> compile_pooling(bool maximum, const Shape& src, const Shape& dst, const graph::Window& window,
                                        std::int64_t block) {
  if (std::any_of(window.dilations.begin(), window.dilations.end(), [](std::int64_t d) { return d != 1; }))
    return nullptr;
  dnnl::memory::dims pads_end(window.kernel.size());
  for (std::size_t i = 0; i < pads_end.size(); ++i)
    pads_end[i] = (dst[i + 2] - 1) * window.strides[i] + window.kernel[i] - src[i + 2] - window.pads_begin[i];
  // A window that reaches past the file's padding (ceil_mode) is averaged over other divisors than oneDNN's.
  if (!maximum && window.count_include_pad && pads_end != window.pads_end && window.ceil_mode) return nullptr;
  const auto algorithm = maximum ? dnnl::algorithm::pooling_max
                                 : (window.count_include_pad ? dnnl::algorithm::pooling_avg_include_padding
                                                             : dnnl::algorithm::pooling_avg_exclude_padding);
  const dnnl::pooling_forward::desc desc(dnnl::prop_kind::forward_inference, algorithm, memory_desc(src, block),
                                         memory_desc(dst, block), window.strides, window.kernel, window.pads_begin,
                                         pads_end);
  return std::make_unique<PrimitiveKernel<dnnl::pooling_forward>>(
      dnnl::pooling_forward::primitive_desc(desc, user_scratchpad(), cpu_engine()));
}

std::unique_ptr<Kernel> compile_global_average(const Layout& src) { return std::make_unique<GlobalAverage>(src); }

}  // namespace shiftnorm::exec
