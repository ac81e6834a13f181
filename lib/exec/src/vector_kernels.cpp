#include "vector_kernels.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

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

template <class D, class V>
HWY_INLINE V unit_clamp(D d, V x) {
  return hn::Min(hn::Max(x, hn::Zero(d)), hn::Set(d, 1.0f));
}

// Swish networks spend a tenth of their time here: a power of two over the range where float32 tells the result from 0
// and 1 takes half as long as a general exponential.
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

// A float vector is promoted in two parts, as twice as many doubles fit nowhere; the scalar target's has one.
#if HWY_TARGET == HWY_SCALAR
template <class D>
using Doubles = hn::Rebind<double, D>;
template <class D, class V>
HWY_INLINE auto low_part(D, V v) {
  return hn::PromoteTo(Doubles<D>(), v);
}
template <class D, class V>
HWY_INLINE auto high_part(D, V) {
  return hn::Zero(Doubles<D>());
}
constexpr bool kTwoParts = false;
#else
template <class D>
using Doubles = hn::Rebind<double, hn::Half<D> >;
template <class D, class V>
HWY_INLINE auto low_part(D, V v) {
  return hn::PromoteTo(Doubles<D>(), hn::LowerHalf(hn::Half<D>(), v));
}
template <class D, class V>
HWY_INLINE auto high_part(D, V v) {
  return hn::PromoteTo(Doubles<D>(), hn::UpperHalf(hn::Half<D>(), v));
}
constexpr bool kTwoParts = true;
#endif

template <class D, class V>
HWY_INLINE void store_parts(D, V low, V high, double* to) {
  const Doubles<D> wide;
  hn::StoreU(low, wide, to);
  if constexpr (kTwoParts) hn::StoreU(high, wide, to + hn::Lanes(wide));
}

/// Sums of one vector of channels in double throughout: what is left when squares leave the range of float.
template <bool squares, class D>
void sums_in_double(D d, const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  const Doubles<D> wide;
  auto sum_low = hn::Zero(wide), sum_high = hn::Zero(wide), sq_low = hn::Zero(wide), sq_high = hn::Zero(wide);
  const auto centre = hn::LoadU(d, pivot);
  const auto c_low = low_part(d, centre), c_high = high_part(d, centre);
  for (size_t p = 0; p < pixels; ++p) {
    const auto v = hn::LoadU(d, x + p * block);
    const auto low = hn::Sub(low_part(d, v), c_low), high = hn::Sub(high_part(d, v), c_high);
    sum_low = hn::Add(sum_low, low);
    sum_high = hn::Add(sum_high, high);
    if constexpr (squares) {
      sq_low = hn::MulAdd(low, low, sq_low);
      sq_high = hn::MulAdd(high, high, sq_high);
    }
  }
  store_parts(d, sum_low, sum_high, sum);
  if constexpr (squares) store_parts(d, sq_low, sq_high, square);
}

/// Pixels that one float accumulator takes before it is promoted, and accumulators side by side.
constexpr size_t kRun = 8, kSide = 4;

/// What sums around a local centre are good for.
enum class Sums { good, far, out_of_range };

/// The sums of one vector of channels around a centre, in float over short runs, in double beyond; then moved to the
/// pivot. `good` where every lane is within what block_moments() promises; `far`: the centre is more than sqrt(8)
/// standard deviations from some lane's mean, and `centre` has become the means; `out_of_range`: squares that float
/// cannot hold, or values that are not finite.
template <bool squares, class D>
Sums sums_in_runs(D d, const float* x, float* centre, const float* pivot, size_t pixels, size_t block, double* sum,
                  double* square) {
  const Doubles<D> wide;
  auto sum_low = hn::Zero(wide), sum_high = hn::Zero(wide), sq_low = hn::Zero(wide), sq_high = hn::Zero(wide);
  auto any = hn::Zero(d);  // bits that some deviation has
  const auto c = hn::LoadU(d, centre);
  for (size_t p = 0; p < pixels;) {
    const size_t end = HWY_MIN(pixels, p + kRun * kSide);
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, q0 = s0, q1 = s0, q2 = s0, q3 = s0;
    const auto take = [&](size_t at, auto& s, auto& q) {
      auto v = hn::LoadU(d, x + at * block);
      if constexpr (squares) {
        v = hn::Sub(v, c);
        q = hn::MulAdd(v, v, q);
        any = hn::Or(any, v);
      }
      s = hn::Add(s, v);
    };
    for (; p + kSide <= end; p += kSide) {
      take(p, s0, q0);
      take(p + 1, s1, q1);
      take(p + 2, s2, q2);
      take(p + 3, s3, q3);
    }
    for (; p < end; ++p) take(p, s0, q0);
    const auto s = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
    sum_low = hn::Add(sum_low, low_part(d, s));
    sum_high = hn::Add(sum_high, high_part(d, s));
    if constexpr (squares) {
      const auto q = hn::Add(hn::Add(q0, q1), hn::Add(q2, q3));
      sq_low = hn::Add(sq_low, low_part(d, q));
      sq_high = hn::Add(sq_high, high_part(d, q));
    }
  }
  const auto infinity = hn::Set(wide, std::numeric_limits<double>::infinity());
  if constexpr (!squares) {
    store_parts(d, sum_low, sum_high, sum);
    const auto finite = hn::And(hn::Lt(hn::Abs(sum_low), infinity), hn::Lt(hn::Abs(sum_high), infinity));
    return hn::AllTrue(wide, finite) ? Sums::good : Sums::out_of_range;
  } else {
    const auto n = hn::Set(wide, static_cast<double>(pixels));
    // Below, squares have lost digits to underflow, unless every deviation is 0.
    const auto least = hn::Set(wide, 0x1p-80);
    const auto p = hn::LoadU(d, pivot);
    const auto moved = [&](auto s, auto q, auto present, auto from, auto to, double* sum_to, double* square_to) {
      const auto far = hn::Gt(hn::Mul(hn::Mul(s, s), hn::Set(wide, 9.0 / 8.0)), hn::Mul(n, q));
      const auto range = hn::And(hn::Lt(q, infinity), hn::Or(hn::Ge(q, least), hn::Eq(present, hn::Zero(wide))));
      const auto by = hn::Sub(from, to), shift = hn::Mul(n, by);
      hn::StoreU(hn::Add(s, shift), wide, sum_to);
      hn::StoreU(hn::MulAdd(by, hn::Add(hn::Add(s, s), shift), q), wide, square_to);
      if (!hn::AllTrue(wide, range)) return Sums::out_of_range;
      return hn::AllFalse(wide, far) ? Sums::good : Sums::far;
    };
    Sums found = moved(sum_low, sq_low, low_part(d, any), low_part(d, c), low_part(d, p), sum, square);
    if constexpr (kTwoParts) {
      const size_t h = hn::Lanes(wide);
      found = HWY_MAX(
          found, moved(sum_high, sq_high, high_part(d, any), high_part(d, c), high_part(d, p), sum + h, square + h));
    }
    if (found == Sums::far) {
      for (size_t lane = 0; lane < hn::Lanes(d); ++lane)
        centre[lane] = static_cast<float>(static_cast<double>(pivot[lane]) + sum[lane] / static_cast<double>(pixels));
    }
    return found;
  }
}

/// The median of three pixels spread over the plane is near the image's own values wherever the pivot is.
template <class D>
HWY_INLINE void choose_centre(D d, const float* x, size_t pixels, size_t block, float* centre) {
  const auto a = hn::LoadU(d, x + pixels / 6 * block), b = hn::LoadU(d, x + pixels / 2 * block),
             c = hn::LoadU(d, x + pixels * 5 / 6 * block);
  hn::StoreU(hn::Max(hn::Min(a, b), hn::Min(hn::Max(a, b), c)), d, centre);
}

template <bool squares, class D>
void moments_lanes(D d, const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  // Choosing a centre and moving the sums back costs as much as so many pixels save.
  constexpr size_t kFew = 12;
  if (pixels < kFew) return sums_in_double<squares>(d, x, pivot, pixels, block, sum, square);
  float centre[16] = {};
  if constexpr (squares) choose_centre(d, x, pixels, block, centre);
  Sums found = sums_in_runs<squares>(d, x, centre, pivot, pixels, block, sum, square);
  if (found == Sums::far) found = sums_in_runs<squares>(d, x, centre, pivot, pixels, block, sum, square);
  if (found == Sums::out_of_range) sums_in_double<squares>(d, x, pivot, pixels, block, sum, square);
}

template <bool squares, class D>
void moments_block(D d, const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  for (size_t lane = 0; lane < block; lane += hn::Lanes(d))
    moments_lanes<squares>(d, x + lane, pivot + lane, pixels, block, sum + lane, squares ? square + lane : nullptr);
}

/// Plain layout: eight partial sums whatever the target, so that the order is the same everywhere.
template <bool squares>
void moments_row(const float* x, float pivot, size_t pixels, double* sum, double* square) {
  constexpr size_t kColumns = 8;
  float pivots[kColumns];
  std::fill_n(pivots, kColumns, pivot);
  double s[kColumns] = {}, q[kColumns] = {};
  moments_block<squares>(D8(), x, pivots, pixels / kColumns, kColumns, s, q);
  for (size_t p = pixels - pixels % kColumns; p < pixels; ++p) {
    const double v = static_cast<double>(x[p]) - static_cast<double>(pivot);
    s[p % kColumns] += v;
    q[p % kColumns] += v * v;
  }
  *sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  if constexpr (squares) *square = ((q[0] + q[1]) + (q[2] + q[3])) + ((q[4] + q[5]) + (q[6] + q[7]));
}

void moments(const float* x, const float* pivot, size_t pixels, size_t block, double* sum, double* square) {
  if (block == 16) return moments_block<true>(D16(), x, pivot, pixels, block, sum, square);
  if (block == 8) return moments_block<true>(D8(), x, pivot, pixels, block, sum, square);
  moments_row<true>(x, *pivot, pixels, sum, square);
}

void sums(const float* x, size_t pixels, size_t block, double* sum) {
  const float zeros[16] = {};
  if (block == 16) return moments_block<false>(D16(), x, zeros, pixels, block, sum, nullptr);
  if (block == 8) return moments_block<false>(D8(), x, zeros, pixels, block, sum, nullptr);
  moments_row<false>(x, 0.0f, pixels, sum, nullptr);
}

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
HWY_EXPORT(moments);
HWY_EXPORT(sums);
HWY_EXPORT(dots);
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
void block_moments(const float* x, const float* pivot, std::size_t pixels, std::size_t block, double* sum,
                   double* square) {
  HWY_DYNAMIC_DISPATCH(moments)(x, pivot, pixels, block, sum, square);
}
void block_sums(const float* x, std::size_t pixels, std::size_t block, double* sum) {
  HWY_DYNAMIC_DISPATCH(sums)(x, pixels, block, sum);
}
void matrix_vectors(const float* matrix, std::span<const float* const> x, const float* bias, std::size_t rows,
                    std::size_t columns, std::span<float* const> dst) {
  HWY_DYNAMIC_DISPATCH(dots)(matrix, x.data(), bias, rows, columns, x.size(), dst.data());
}
void elementwise(Unary op, float a, float b, const float* x, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(unary)(op, a, b, x, n, dst);
}
void multiply(const float* x, const float* y, std::size_t n, float* dst) {
  HWY_DYNAMIC_DISPATCH(products)(x, y, n, dst);
}
}  // namespace shiftnorm::exec
#endif
