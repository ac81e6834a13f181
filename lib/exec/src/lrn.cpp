#include "lrn.hpp"

#include "onednn.hpp"

namespace shiftnorm::exec {

std::unique_ptr<Kernel> compile_lrn(const Shape& shape, std::int64_t size, float alpha, float beta, float bias,
                                    std::int64_t block) {
  if (size % 2 == 0) return nullptr;
  const dnnl::lrn_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels,
                                     memory_desc(shape, block), size, alpha, beta, bias);
  return std::make_unique<PrimitiveKernel<dnnl::lrn_forward>>(
      dnnl::lrn_forward::primitive_desc(desc, user_scratchpad(), cpu_engine()));
}

}  // namespace shiftnorm::exec
