#include "vector_elementwise.hpp"

#include <array>
#include <bit>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector_elementwise.cpp"
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

template <class D, class V>
HWY_INLINE V unit_clamp(D d, V x) {
  return hn::Min(hn::Max(x, hn::Zero(d)), hn::Set(d, 1.0f));
}

// Swish networks spend a tenth of their time here: a power of two over the range where float32 distinguishes the result
// from 0 and 1 takes half as long as a general exponential.
#if HWY_TARGET <= HWY_AVX3
/// kPowers[k] = 2.34571075e-4 2^(k / 32), k << 18 taken from its bits.
alignas(64) constexpr auto kPowers = [] {
  std::array<float, 32> powers{};
  double power = 2.34571075e-4;
  for (std::uint32_t k = 0; k < powers.size(); ++k, power *= 1.0218971486541166)
    powers[k] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(power)) - (k << 18));
  return powers;
}();

/// kPowers at the lowest 5 bits of each k. Highway has no lookup in two registers, and a gather takes twice as long as
/// all the rest, so narrower vectors are looked up as parts of wide ones.
HWY_INLINE __m512 powers_at(__m512i k) {
  return _mm512_permutex2var_ps(_mm512_load_ps(kPowers.data()), k, _mm512_load_ps(kPowers.data() + 16));
}
HWY_INLINE hn::Vec512<float> powers_at(hn::Vec512<std::int32_t> k) { return hn::Vec512<float>{powers_at(k.raw)}; }
HWY_INLINE hn::Vec256<float> powers_at(hn::Vec256<std::int32_t> k) {
  return hn::Vec256<float>{_mm512_castps512_ps256(powers_at(_mm512_castsi256_si512(k.raw)))};
}
template <size_t lanes>
HWY_INLINE hn::Vec128<float, lanes> powers_at(hn::Vec128<std::int32_t, lanes> k) {
  return hn::Vec128<float, lanes>{_mm512_castps512_ps128(powers_at(_mm512_castsi128_si512(k.raw)))};
}

/// 1 + exp(-y) for y from -80 to 40 within 3e-7 + 1.4e-8 |y| of itself: one float alone stands for -32 / ln 2.
template <class D, class V>
HWY_INLINE V one_and_exp(D d, V y) {
  const hn::RebindToSigned<D> whole;
  const auto scale = hn::Set(d, -46.1662413f);
  // Adding `whole_numbers` leaves the nearest whole number in the lowest bits.
  const auto whole_numbers = hn::Set(d, 12582912.0f);
  const auto n = hn::MulAdd(y, scale, whole_numbers);
  // 2^(f / 32) for |f| <= 1/2 is nearly a square and a constant, within 5.5e-8: one multiplication instead of two. The
  // vertex, at -32 / ln 2 by Taylor, has few enough bits here for its sum with a whole number to be exact.
  const auto rest = hn::MulAdd(y, scale, hn::Sub(hn::Set(d, 46.171875f), hn::Sub(n, whole_numbers)));
  const auto power = hn::MulAdd(rest, rest, hn::Set(d, 2131.25818f));
  const auto k = hn::BitCast(whole, n);
  const auto unit = hn::BitCast(d, hn::Add(hn::BitCast(whole, powers_at(k)), hn::ShiftLeft<18>(k)));
  return hn::MulAdd(unit, power, hn::Set(d, 1.0f));
}

/// 1 / (1 + exp(-x)) within 3e-7 + 1.4e-8 |x| of itself from -80 to 80 (so found for all floats), and as at the ends
/// beyond: from 40 on it is 1.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  // In this order a NaN stays one: the processor prefers its second operand.
  const auto y = hn::Min(hn::Set(d, 40.0f), hn::Max(hn::Set(d, -80.0f), x));
  return hn::Div(hn::Set(d, 1.0f), one_and_exp(d, y));
}

/// x sigmoid(x), within the same of itself. One division leaves the units that multiply to other vectors, where
/// Newton's method for the reciprocal needs them four times (Zen 4); comparing whole numbers keeps off them too.
template <class D, class V>
HWY_INLINE V swish(D d, V x) {
  const hn::RebindToUnsigned<D> bits;
  const hn::RebindToSigned<D> whole;
  // As whole numbers without a sign negative floats grow with their magnitude, above all positive ones; with a sign
  // positive ones grow with their magnitude, above all negative ones. A NaN comes back through x.
  const auto above = hn::Min(hn::BitCast(bits, x), hn::BitCast(bits, hn::Set(d, -80.0f)));
  const auto y = hn::Min(hn::BitCast(whole, above), hn::BitCast(whole, hn::Set(d, 40.0f)));
  return hn::Div(x, one_and_exp(d, hn::BitCast(d, y)));
}
#else
/// 1 / (1 + exp(-x)) within 3e-7 of itself from -80 to 80 (6e-8 |x| more without fused multiplication), and as at the
/// ends beyond.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const hn::RebindToSigned<D> whole;
  // -1 / ln 2 in two parts. Adding `whole_numbers` leaves the nearest whole number in the lowest bits.
  const auto scale = hn::Set(d, -1.44269502f), scale_rest = hn::Set(d, -1.92596299e-8f);
  const auto whole_numbers = hn::Set(d, 12582912.0f);
  // In this order a NaN stays one where the processor prefers its second operand.
  const auto y = hn::Min(hn::Set(d, 80.0f), hn::Max(hn::Set(d, -80.0f), x));
  const auto n = hn::MulAdd(y, scale, whole_numbers);
  const auto f = hn::MulAdd(y, scale_rest, hn::MulSub(y, scale, hn::Sub(n, whole_numbers)));
  // 2^f for |f| <= 1/2 within 1e-7 of itself: the polynomial of least relative error with 1 at 0
  auto p = hn::Set(d, 1.3264727e-3f);
  for (const float term : {9.671513e-3f, 5.5507336e-2f, 2.4022242e-1f, 6.9314700e-1f, 1.0f})
    p = hn::MulAdd(p, f, hn::Set(d, term));
  const auto e = hn::BitCast(d, hn::Add(hn::BitCast(whole, p), hn::ShiftLeft<23>(hn::BitCast(whole, n))));
  const auto q = hn::Add(hn::Set(d, 1.0f), e), two = hn::Set(d, 2.0f);
  auto r = hn::ApproximateReciprocal(q);  // of 12 bits at least on x86, of 8 on Arm
  if constexpr (HWY_ARCH_ARM) r = hn::Mul(r, hn::NegMulAdd(q, r, two));
  return hn::Mul(r, hn::NegMulAdd(q, r, two));
}

template <class D, class V>
HWY_INLINE V swish(D d, V x) {
  return hn::Mul(x, sigmoid(d, x));
}
#endif

// Functions of one vector that a normalisation may end with.
struct Itself {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return x;
  }
};
struct Relu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Max(x, hn::Zero(d));
  }
};
struct Clip {
  float low, high;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Min(hn::Max(x, hn::Set(d, low)), hn::Set(d, high));
  }
};
struct HardSwish {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, unit_clamp(d, hn::MulAdd(x, hn::Set(d, 1.0f / 6.0f), hn::Set(d, 0.5f))));
  }
};
struct Swish {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return swish(d, x);
  }
};

/// Product and sum rounded one after the other, as in the epilogue of a convolution: never a fused multiply-add.
template <class V>
HWY_INLINE V scale_shift(V x, V scale, V shift) {
  return hn::Add(hn::Mul(x, scale), shift);
}

/// Which of the terms have a scale and shift. The second has one only if the first has: affine_terms() swaps them.
enum class Terms { plain, scaled, plain_plain, scaled_plain, scaled_scaled };

/// One vector of act(first + second) at offset i; s1, b1, s2, b2 hold this lane group's scale and shift.
template <Terms terms, class D, class V, class Act>
HWY_INLINE void affine_at(D d, Act act, const AffineTerm& first, const AffineTerm& second, V s1, V b1, V s2, V b2,
                          size_t i, float* dst) {
  auto y = hn::LoadU(d, first.x + i);
  if constexpr (terms != Terms::plain && terms != Terms::plain_plain) y = scale_shift(y, s1, b1);
  if constexpr (terms != Terms::plain && terms != Terms::scaled) {
    const auto r = hn::LoadU(d, second.x + i);
    y = hn::Add(y, terms == Terms::scaled_scaled ? scale_shift(r, s2, b2) : r);
  }
  hn::StoreU(act(d, y), d, dst + i);
}

template <Terms terms, class D, class Act>
void affine_lanes(D d, Act act, const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block,
                  float* dst) {
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
      affine_at<terms>(d, act, first, second, s1, b1, s2, b2, i, dst);
      affine_at<terms>(d, act, first, second, s1, b1, s2, b2, i + block, dst);
      affine_at<terms>(d, act, first, second, s1, b1, s2, b2, i + 2 * block, dst);
      affine_at<terms>(d, act, first, second, s1, b1, s2, b2, i + 3 * block, dst);
    }
    for (; p < pixels; ++p) affine_at<terms>(d, act, first, second, s1, b1, s2, b2, p * block + lane, dst);
  }
}

/// Plain layout: one channel, its pixels in a row; the pointers need not be aligned.
template <Terms terms, class Act>
void affine_row(Act act, const AffineTerm& first, const AffineTerm& second, size_t pixels, float* dst) {
  const auto from = [&](auto d, size_t p) {
    const auto constant = [d](const float* value) { return hn::Set(d, value != nullptr ? *value : 0.0f); };
    affine_at<terms>(d, act, first, second, constant(first.scale), constant(first.shift), constant(second.scale),
                     constant(second.shift), p, dst);
  };
  const Any d;
  size_t p = 0;
  for (; p + hn::Lanes(d) <= pixels; p += hn::Lanes(d)) from(d, p);
  for (; p < pixels; ++p) from(hn::CappedTag<float, 1>(), p);
}

template <Terms terms, class Act>
void affine_block(Act act, const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block, float* dst) {
  if (block == 16) return affine_lanes<terms>(D16(), act, first, second, pixels, block, dst);
  if (block == 8) return affine_lanes<terms>(D8(), act, first, second, pixels, block, dst);
  affine_row<terms>(act, first, second, pixels, dst);
}

template <class Act>
void affine_terms(Act act, const AffineTerm& first, const AffineTerm& second, size_t pixels, size_t block, float* dst) {
  const bool scaled = first.scale != nullptr;
  if (second.x == nullptr)
    return scaled ? affine_block<Terms::scaled>(act, first, second, pixels, block, dst)
                  : affine_block<Terms::plain>(act, first, second, pixels, block, dst);
  if (second.scale == nullptr)
    return scaled ? affine_block<Terms::scaled_plain>(act, first, second, pixels, block, dst)
                  : affine_block<Terms::plain_plain>(act, first, second, pixels, block, dst);
  if (!scaled) return affine_terms(act, second, first, pixels, block, dst);
  affine_block<Terms::scaled_scaled>(act, first, second, pixels, block, dst);
}

void affine(const AffineTerm& first, const AffineTerm& second, bool relu, size_t pixels, size_t block, float* dst) {
  if (relu) return affine_terms(Relu(), first, second, pixels, block, dst);
  affine_terms(Itself(), first, second, pixels, block, dst);
}

template <class Act>
void affine_one(Act act, const AffineTerm& x, size_t pixels, size_t block, float* dst) {
  if (block == 16) return affine_lanes<Terms::scaled>(D16(), act, x, {}, pixels, block, dst);
  affine_lanes<Terms::scaled>(D8(), act, x, {}, pixels, block, dst);
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

void unary(Unary op, float a, float b, const float* x, size_t n, float* dst) {
  switch (op) {
    case Unary::clip: return map_vectors(x, n, dst, Clip{a, b});
    case Unary::hard_sigmoid:
      return map_vectors(x, n, dst,
                         [&](auto d, auto v) { return unit_clamp(d, hn::MulAdd(v, hn::Set(d, a), hn::Set(d, b))); });
    case Unary::hard_swish: return map_vectors(x, n, dst, HardSwish());
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
    case Unary::swish: return map_vectors(x, n, dst, Swish());
  }
}

/// One term with what networks have most in one pass: the processor computes while it waits for memory.
void affine_unary(const AffineTerm& first, const AffineTerm& second, Unary op, float a, float b, size_t pixels,
                  size_t block, float* dst) {
  if (second.x == nullptr && first.scale != nullptr && block > 1) {
    if (op == Unary::clip) return affine_one(Clip{a, b}, first, pixels, block, dst);
    if (op == Unary::hard_swish) return affine_one(HardSwish(), first, pixels, block, dst);
    if (op == Unary::swish) return affine_one(Swish(), first, pixels, block, dst);
  }
  affine(first, second, false, pixels, block, dst);
  unary(op, a, b, dst, pixels * block, dst);
}

void products(const float* x, const float* y, size_t n, float* dst) {
  for_vectors(n, [&](auto d, size_t i) { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, dst + i); });
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
HWY_EXPORT(affine);
HWY_EXPORT(affine_unary);
HWY_EXPORT(unary);
HWY_EXPORT(products);

void affine_sum(const AffineTerm& first, const AffineTerm& second, bool relu, std::size_t pixels, std::size_t block,
                float* dst) {
  HWY_DYNAMIC_DISPATCH(affine)(first, second, relu, pixels, block, dst);
}
void affine_sum(const AffineTerm& first, const AffineTerm& second, Unary op, float a, float b, std::size_t pixels,
                std::size_t block, float* dst) {
  HWY_DYNAMIC_DISPATCH(affine_unary)(first, second, op, a, b, pixels, block, dst);
}
void elementwise(Unary op, float a, float b, const float* x, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(unary)(op, a, b, x, n, dst);
}
void multiply(const float* x, const float* y, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(products)(x, y, n, dst);
}
}  // namespace shiftnorm::exec
#endif
