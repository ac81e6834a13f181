#include "vector_moments.hpp"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector_moments.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A vector never spans two pixels of a block of 16 or 8, so that a lane stays one channel on every target.
using D16 = hn::CappedTag<float, 16>;
using D8 = hn::CappedTag<float, 8>;

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

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
HWY_EXPORT(moments);
HWY_EXPORT(sums);

void block_moments(const float* x, const float* pivot, std::size_t pixels, std::size_t block, double* sum,
                   double* square) {
  HWY_DYNAMIC_DISPATCH(moments)(x, pivot, pixels, block, sum, square);
}
void block_sums(const float* x, std::size_t pixels, std::size_t block, double* sum) {
  HWY_DYNAMIC_DISPATCH(sums)(x, pixels, block, sum);
}
}  // namespace shiftnorm::exec
#endif
