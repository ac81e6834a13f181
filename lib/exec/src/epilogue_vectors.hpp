// What kernels of convolutions share on every Highway target: include after <hwy/highway.h>.
#include "kernel.hpp"

#ifndef SHIFTNORM_EXEC_BOUND_EPILOGUE
#define SHIFTNORM_EXEC_BOUND_EPILOGUE
namespace shiftnorm::exec {

/// An epilogue of one channel block in one execution, but its activation.
struct BlockEpilogue {
  const float* scale = nullptr;  ///< [block], or null: no scale and shift
  const float* shift = nullptr;
  bool below = false, above = false;  ///< whether `low` and `high` bound the result
  float low = 0, high = 0;
};

[[nodiscard]] inline BlockEpilogue of_block(const Epilogue& e, std::span<const Affine> affines, std::int64_t channel) {
  BlockEpilogue out{nullptr, nullptr, e.low.has_value(), e.high.has_value(), e.low.value_or(0), e.high.value_or(0)};
  if (!e.set.exists()) return out;
  const Affine& affine = affines[e.set.number()];
  out.scale = affine.scale.data() + channel;
  out.shift = affine.shift.data() + channel;
  return out;
}

}  // namespace shiftnorm::exec
#endif

#if defined(SHIFTNORM_EXEC_EPILOGUE_VECTORS) == defined(HWY_TARGET_TOGGLE)
#ifdef SHIFTNORM_EXEC_EPILOGUE_VECTORS
#undef SHIFTNORM_EXEC_EPILOGUE_VECTORS
#else
#define SHIFTNORM_EXEC_EPILOGUE_VECTORS
#endif

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {

/// g++ loads a value anew for each product that it goes into, which takes half as long again as the products.
template <class V>
HWY_INLINE V loaded_once(V v) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// Ends the results of n neighbouring pixels, `block` floats apart: rounded after every product and sum. lane: where
/// the vectors begin in a pixel. added: the residual of the first, at `lane`, or null.
template <int block, int n, class D>
HWY_INLINE void finish(D d, const BlockEpilogue& e, std::int64_t lane, const float* added,
                       hwy::HWY_NAMESPACE::Vec<D>* y) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (e.scale != nullptr) {
    const auto scale = hn::LoadU(d, e.scale + lane), shift = hn::LoadU(d, e.shift + lane);
    HWY_UNROLL(16)
    for (int i = 0; i < n; ++i) y[i] = hn::Add(hn::Mul(y[i], scale), shift);
  }
  if (added != nullptr) {
    HWY_UNROLL(16)
    for (int i = 0; i < n; ++i) y[i] = hn::Add(y[i], hn::LoadU(d, added + std::int64_t{i} * block));
  }
  if (e.below) {
    const auto low = hn::Set(d, e.low);
    HWY_UNROLL(16)
    for (int i = 0; i < n; ++i) y[i] = hn::Max(y[i], low);
  }
  if (e.above) {
    const auto high = hn::Set(d, e.high);
    HWY_UNROLL(16)
    for (int i = 0; i < n; ++i) y[i] = hn::Min(y[i], high);
  }
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
