#include "vector_kernels.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector_kernels.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>
// and its mathematics after it
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A vector never spans two pixels of a block of 16 or 8, so that a lane stays one channel on every target.
using D16 = hn::CappedTag<float, 16>;
using D8 = hn::CappedTag<float, 8>;
using Any = hn::ScalableTag<float>;

/// Product and sum rounded one after the other, as in the epilogue of a convolution: never a fused multiply-add.
template <class V>
HWY_INLINE V scale_shift(V x, V scale, V shift) {
  return hn::Add(hn::Mul(x, scale), shift);
}

/// Which of the terms have a scale and shift. The second has one only if the first has: affine() swaps them.
enum class Terms { plain, scaled, plain_plain, scaled_plain, scaled_scaled };

/// One vector of act(first + second) at offset i; s1, b1, s2, b2 hold this lane group's scale and shift.
template <bool relu, Terms terms, class D, class V>
HWY_INLINE void affine_at(D d, const AffineTerm& first, const AffineTerm& second, V s1, V b1, V s2, V b2, size_t i,
                          float* dst) {
  auto y = hn::LoadU(d, first.x + i);
  if constexpr (terms != Terms::plain && terms != Terms::plain_plain) y = scale_shift(y, s1, b1);
  if constexpr (terms != Terms::plain && terms != Terms::scaled) {
    const auto r = hn::LoadU(d, second.x + i);
    y = hn::Add(y, terms == Terms::scaled_scaled ? scale_shift(r, s2, b2) : r);
  }
  if constexpr (relu) y = hn::Max(y, hn::Zero(d));
  hn::StoreU(y, d, dst + i);
}

template <bool relu, Terms terms, class D>
void affine_lanes(D d, const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block, float* dst) {
  const size_t n = hn::Lanes(d);
  const auto constant = [d](const float* p, size_t lane) {
    return p != nullptr ? hn::LoadU(d, p + lane) : hn::Zero(d);
  };
  for (size_t lane = 0; lane < block; lane += n) {
    const auto s1 = constant(first.scale, lane), b1 = constant(first.shift, lane), s2 = constant(second.scale, lane),
               b2 = constant(second.shift, lane);
    size_t p = 0;
    for (; p + 4 <= pixels; p += 4) {
      const size_t i = p * block + lane;
      affine_at<relu, terms>(d, first, second, s1, b1, s2, b2, i, dst);
      affine_at<relu, terms>(d, first, second, s1, b1, s2, b2, i + block, dst);
      affine_at<relu, terms>(d, first, second, s1, b1, s2, b2, i + 2 * block, dst);
      affine_at<relu, terms>(d, first, second, s1, b1, s2, b2, i + 3 * block, dst);
    }
    for (; p < pixels; ++p) affine_at<relu, terms>(d, first, second, s1, b1, s2, b2, p * block + lane, dst);
  }
}

/// Plain layout: one channel, its pixels in a row; the pointers need not be aligned.
template <bool relu, Terms terms>
void affine_row(const AffineTerm& first, const AffineTerm& second, size_t pixels, float* dst) {
  const auto from = [&](auto d, size_t p) {
    const auto constant = [d](const float* value) { return hn::Set(d, value != nullptr ? *value : 0.0f); };
    affine_at<relu, terms>(d, first, second, constant(first.scale), constant(first.shift), constant(second.scale),
                           constant(second.shift), p, dst);
  };
  const Any d;
  size_t p = 0;
  for (; p + hn::Lanes(d) <= pixels; p += hn::Lanes(d)) from(d, p);
  for (; p < pixels; ++p) from(hn::CappedTag<float, 1>(), p);
}

template <bool relu, Terms terms>
void affine_block(const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block, float* dst) {
  if (block == 16) return affine_lanes<relu, terms>(D16(), first, second, pixels, block, dst);
  if (block == 8) return affine_lanes<relu, terms>(D8(), first, second, pixels, block, dst);
  affine_row<relu, terms>(first, second, pixels, dst);
}

template <bool relu>
void affine_terms(const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block, float* dst) {
  const bool scaled = first.scale != nullptr;
  if (second.x == nullptr)
    return scaled ? affine_block<relu, Terms::scaled>(first, second, pixels, block, dst)
                  : affine_block<relu, Terms::plain>(first, second, pixels, block, dst);
  if (second.scale == nullptr)
    return scaled ? affine_block<relu, Terms::scaled_plain>(first, second, pixels, block, dst)
                  : affine_block<relu, Terms::plain_plain>(first, second, pixels, block, dst);
  if (!scaled) return affine_terms<relu>(second, first, pixels, block, dst);
  affine_block<relu, Terms::scaled_scaled>(first, second, pixels, block, dst);
}

void affine(const AffineTerm& first, const AffineTerm& second, bool relu, size_t pixels, size_t block, float* dst) {
  if (relu) return affine_terms<true>(first, second, pixels, block, dst);
  affine_terms<false>(first, second, pixels, block, dst);
}

#if HWY_TARGET == HWY_SCALAR
template <bool squares, class D>
void moments_lanes(D, const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  for (size_t lane = 0; lane < block; ++lane) {
    double s = 0, q = 0;
    for (size_t p = 0; p < pixels; ++p) {
      const double v = static_cast<double>(x[p * block + lane]) - static_cast<double>(pivot[lane]);
      s += v;
      q += v * v;
    }
    sum[lane] = s;
    if constexpr (squares) square[lane] = q;
  }
}
#else
/// Two doubles vectors of the deviations of one half of a float vector are enough to keep the adders busy.
template <bool squares, class D>
void moments_lanes(D d, const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  const hn::Half<D> half;
  const hn::Rebind<double, hn::Half<D> > wide;
  const size_t n = hn::Lanes(d), h = n / 2;
  for (size_t lane = 0; lane < block; lane += n) {
    auto sum_low = hn::Zero(wide), sum_high = hn::Zero(wide), sq_low = hn::Zero(wide), sq_high = hn::Zero(wide);
    const auto centre = hn::LoadU(d, pivot + lane);
    const auto c_low = hn::PromoteTo(wide, hn::LowerHalf(half, centre)),
               c_high = hn::PromoteTo(wide, hn::UpperHalf(half, centre));
    for (size_t p = 0; p < pixels; ++p) {
      const auto v = hn::LoadU(d, x + p * block + lane);
      const auto low = hn::Sub(hn::PromoteTo(wide, hn::LowerHalf(half, v)), c_low);
      const auto high = hn::Sub(hn::PromoteTo(wide, hn::UpperHalf(half, v)), c_high);
      sum_low = hn::Add(sum_low, low);
      sum_high = hn::Add(sum_high, high);
      if constexpr (squares) {
        sq_low = hn::MulAdd(low, low, sq_low);
        sq_high = hn::MulAdd(high, high, sq_high);
      }
    }
    hn::StoreU(sum_low, wide, sum + lane);
    hn::StoreU(sum_high, wide, sum + lane + h);
    if constexpr (squares) {
      hn::StoreU(sq_low, wide, square + lane);
      hn::StoreU(sq_high, wide, square + lane + h);
    }
  }
}
#endif

/// Plain layout: eight partial sums whatever the target, so that the order is the same everywhere.
template <bool squares>
void moments_row(const float* x, double pivot, size_t pixels, double* sum, double* square) {
  double s[8] = {}, q[8] = {};
  for (size_t p = 0; p < pixels; ++p) {
    const double v = static_cast<double>(x[p]) - pivot;
    s[p % 8] += v;
    if constexpr (squares) q[p % 8] += v * v;
  }
  *sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  if constexpr (squares) *square = ((q[0] + q[1]) + (q[2] + q[3])) + ((q[4] + q[5]) + (q[6] + q[7]));
}

void moments(const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  if (block == 16) return moments_lanes<true>(D16(), x, pivot, pixels, block, sum, square);
  if (block == 8) return moments_lanes<true>(D8(), x, pivot, pixels, block, sum, square);
  moments_row<true>(x, static_cast<double>(*pivot), pixels, sum, square);
}

void sums(const float* x, size_t pixels, size_t block, double* sum) {
  const float zeros[16] = {};
  if (block == 16) return moments_lanes<false>(D16(), x, zeros, pixels, block, sum, nullptr);
  if (block == 8) return moments_lanes<false>(D8(), x, zeros, pixels, block, sum, nullptr);
  moments_row<false>(x, 0.0, pixels, sum, nullptr);
}

void dots(const float* matrix, const float* x, const float* bias, size_t rows, size_t columns, float* dst) {
  const Any d;
  const size_t n = hn::Lanes(d);
  for (size_t row = 0; row < rows; ++row) {
    const float* m = matrix + row * columns;
    auto a = hn::Zero(d), b = hn::Zero(d);
    size_t i = 0;
    for (; i + 2 * n <= columns; i += 2 * n) {
      a = hn::MulAdd(hn::LoadU(d, m + i), hn::LoadU(d, x + i), a);
      b = hn::MulAdd(hn::LoadU(d, m + i + n), hn::LoadU(d, x + i + n), b);
    }
    float rest = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
    for (; i < columns; ++i) rest += m[i] * x[i];
    dst[row] = rest + (bias != nullptr ? bias[row] : 0.0f);
  }
}

template <class D, class V>
HWY_INLINE V unit_clamp(D d, V x) {
  return hn::Min(hn::Max(x, hn::Zero(d)), hn::Set(d, 1.0f));
}

/// Calls f(tag, offset) for whole vectors, then for single elements.
template <class F>
HWY_INLINE void for_vectors(size_t n, F f) {
  const Any d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) f(d, i);
  for (; i < n; ++i) f(hn::CappedTag<float, 1>(), i);
}

template <class F>
HWY_INLINE void map_vectors(const float* x, size_t n, float* dst, F f) {
  for_vectors(n, [&](auto d, size_t i) { hn::StoreU(f(d, hn::LoadU(d, x + i)), d, dst + i); });
}

/// 1 / (1 + exp(-x)) within 4e-7 of itself. Swish networks spend a tenth of their time here: a power of two over the
/// range where the result is more than 0 and less than 1 in float32, and a reciprocal by Newton's method, take half as
/// long as a general exponential and a division.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const hn::RebindToSigned<D> whole;
  const auto log2e = hn::Set(d, 1.44269504089f);
  const auto y = hn::Min(hn::Max(hn::Neg(x), hn::Set(d, -80.0f)), hn::Set(d, 80.0f));
  const auto n = hn::Round(hn::Mul(y, log2e));
  const auto f = hn::MulSub(y, log2e, n);
  // 2^f for |f| <= 1/2: the terms (f ln 2)^k / k!
  auto p = hn::Set(d, 1.54035304e-4f);
  for (const float term : {1.33335581e-3f, 9.61812911e-3f, 5.55041087e-2f, 2.40226507e-1f, 6.93147181e-1f, 1.0f})
    p = hn::MulAdd(p, f, hn::Set(d, term));
  const auto e = hn::BitCast(d, hn::Add(hn::BitCast(whole, p), hn::ShiftLeft<23>(hn::ConvertTo(whole, n))));
  const auto q = hn::Add(hn::Set(d, 1.0f), e), two = hn::Set(d, 2.0f);
  auto r = hn::ApproximateReciprocal(q);  // of 8 bits at least
  r = hn::Mul(r, hn::NegMulAdd(q, r, two));
  return hn::Mul(r, hn::NegMulAdd(q, r, two));
}

void unary(Unary op, float a, float b, const float* x, size_t n, float* dst) {
  switch (op) {
    case Unary::clip:
      return map_vectors(x, n, dst, [&](auto d, auto v) { return hn::Min(hn::Max(v, hn::Set(d, a)), hn::Set(d, b)); });
    case Unary::hard_sigmoid:
      return map_vectors(x, n, dst,
                         [&](auto d, auto v) { return unit_clamp(d, hn::MulAdd(v, hn::Set(d, a), hn::Set(d, b))); });
    case Unary::hard_swish:
      return map_vectors(x, n, dst, [](auto d, auto v) {
        return hn::Mul(v, unit_clamp(d, hn::MulAdd(v, hn::Set(d, 1.0f / 6.0f), hn::Set(d, 0.5f))));
      });
    case Unary::elu:
      return map_vectors(x, n, dst, [&](auto d, auto v) {
        const auto below = hn::Mul(hn::Set(d, a * b), hn::Expm1(d, hn::Min(v, hn::Zero(d))));
        return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), below, hn::Mul(hn::Set(d, b), v));
      });
    case Unary::exp: return map_vectors(x, n, dst, [](auto d, auto v) { return hn::Exp(d, v); });
    case Unary::leaky_relu:
      return map_vectors(x, n, dst, [&](auto d, auto v) {
        return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(hn::Set(d, a), v), v);
      });
    case Unary::mish:
      return map_vectors(x, n, dst, [](auto d, auto v) {
        // tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2); beyond 20 it is 1 in float32.
        const auto e = hn::Exp(d, hn::Min(v, hn::Set(d, 20.0f)));
        const auto up = hn::MulAdd(e, e, hn::Add(e, e));
        return hn::Mul(v, hn::Div(up, hn::Add(up, hn::Set(d, 2.0f))));
      });
    case Unary::tanh: return map_vectors(x, n, dst, [](auto d, auto v) { return hn::Tanh(d, v); });
    case Unary::sigmoid: return map_vectors(x, n, dst, [](auto d, auto v) { return sigmoid(d, v); });
    case Unary::swish: return map_vectors(x, n, dst, [](auto d, auto v) { return hn::Mul(v, sigmoid(d, v)); });
  }
}

void products(const float* x, const float* y, size_t n, float* dst) {
  for_vectors(n, [&](auto d, size_t i) { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, dst + i); });
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
HWY_EXPORT(affine);
HWY_EXPORT(moments);
HWY_EXPORT(sums);
HWY_EXPORT(dots);
HWY_EXPORT(unary);
HWY_EXPORT(products);

void affine_sum(const AffineTerm& first, const AffineTerm& second, bool relu, std::size_t pixels, std::size_t block,
                float* dst) {
  HWY_DYNAMIC_DISPATCH(affine)(first, second, relu, pixels, block, dst);
}
void block_moments(const float* x, const float* pivot, std::size_t pixels, std::size_t block, double* sum,
                   double* square) {
  HWY_DYNAMIC_DISPATCH(moments)(x, pivot, pixels, block, sum, square);
}
void block_sums(const float* x, std::size_t pixels, std::size_t block, double* sum) {
  HWY_DYNAMIC_DISPATCH(sums)(x, pixels, block, sum);
}
void matrix_vector(const float* matrix, const float* x, const float* bias, std::size_t rows, std::size_t columns,
                   float* dst) {
  HWY_DYNAMIC_DISPATCH(dots)(matrix, x, bias, rows, columns, dst);
}
void elementwise(Unary op, float a, float b, const float* x, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(unary)(op, a, b, x, n, dst);
}
void multiply(const float* x, const float* y, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(products)(x, y, n, dst);
}
}  // namespace shiftnorm::exec
#endif
