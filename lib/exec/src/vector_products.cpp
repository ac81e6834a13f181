#include "vector_products.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector_products.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Any = hn::ScalableTag<float>;

/// One row of a matrix with `count` vectors, for each of which it is added up in the same order.
template <size_t count>
HWY_INLINE void row_dots(const float* HWY_RESTRICT row, const float* const* x, size_t columns, float* dots) {
  const Any d;
  const size_t n = hn::Lanes(d);
  hn::Vec<Any> a[count], b[count];
  for (size_t k = 0; k < count; ++k) a[k] = b[k] = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * n <= columns; i += 2 * n) {
    const auto low = hn::LoadU(d, row + i), high = hn::LoadU(d, row + i + n);
    HWY_UNROLL(8)
    for (size_t k = 0; k < count; ++k) {
      a[k] = hn::MulAdd(low, hn::LoadU(d, x[k] + i), a[k]);
      b[k] = hn::MulAdd(high, hn::LoadU(d, x[k] + i + n), b[k]);
    }
  }
  for (size_t k = 0; k < count; ++k) {
    dots[k] = hn::GetLane(hn::SumOfLanes(d, hn::Add(a[k], b[k])));
    for (size_t rest = i; rest < columns; ++rest) dots[k] += row[rest] * x[k][rest];
  }
}

void dots(const float* matrix, const float* const* x, const float* bias, size_t rows, size_t columns, size_t count,
          float* const* dst) {
  constexpr size_t kTogether = 4;
  float sums[kTogether];
  for (size_t row = 0; row < rows; ++row) {
    const float* m = matrix + row * columns;
    const float start = bias != nullptr ? bias[row] : 0.0f;
    size_t k = 0;
    for (; k + kTogether <= count; k += kTogether) {
      row_dots<kTogether>(m, x + k, columns, sums);
      for (size_t j = 0; j < kTogether; ++j) dst[k + j][row] = sums[j] + start;
    }
    for (; k < count; ++k) {
      row_dots<1>(m, x + k, columns, sums);
      dst[k][row] = sums[0] + start;
    }
  }
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
HWY_EXPORT(dots);

void matrix_vectors(const float* matrix, std::span<const float* const> x, const float* bias, std::size_t rows,
                    std::size_t columns, std::span<float* const> dst) {
  HWY_DYNAMIC_DISPATCH(dots)(matrix, x.data(), bias, rows, columns, x.size(), dst.data());
}
}  // namespace shiftnorm::exec
#endif
