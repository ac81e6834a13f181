#include "row_sums.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "row_sums.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::stats::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// f(d, c) for vectors of channels from c on, then for single ones.
template <class F>
HWY_INLINE void for_channels(size_t channels, F f) {
  const hn::ScalableTag<double> d;
  size_t c = 0;
  for (; c + hn::Lanes(d) <= channels; c += hn::Lanes(d)) f(d, c);
  for (; c < channels; ++c) f(hn::CappedTag<double, 1>(), c);
}

/// `together` vectors of channels, so that one need not wait for the last addition of the other. With e the exponent of
/// a channel's largest value and g = e - 46, adding and subtracting 1.5 * 2^(52 + g) splits each value into a multiple
/// of 2^g and a rest of at most 2^(g - 1), without error. kMostRows multiples below 2^(g + 47) have a sum that a double
/// holds, and so have kMostRows rests if no value is less than 2^(g + 4), as they are multiples of 2^(g + 4 - 52).
template <int together, class D>
HWY_INLINE void add_up_columns(D d, const double* rows, size_t count, size_t stride, double* upper, double* rest,
                               double* exact) {
  static_assert(kMostRows == 64);
  using V = hn::Vec<D>;
  const size_t lanes = hn::Lanes(d);
  V largest[together], smallest[together], split[together], multiples[together], rests[together];
  for (int i = 0; i < together; ++i) largest[i] = smallest[i] = hn::Abs(hn::LoadU(d, rows + i * lanes));
  for (size_t r = 1; r < count; ++r) {
    HWY_UNROLL(4)
    for (int i = 0; i < together; ++i) {
      const V magnitude = hn::Abs(hn::LoadU(d, rows + r * stride + i * lanes));
      largest[i] = hn::Max(largest[i], magnitude);
      smallest[i] = hn::Min(smallest[i], magnitude);
    }
  }
  const hn::RebindToUnsigned<D> bits;
  const auto exponent = hn::Set(bits, uint64_t{0x7ff0000000000000});
  for (int i = 0; i < together; ++i) {
    largest[i] = hn::BitCast(d, hn::And(hn::BitCast(bits, largest[i]), exponent));  // its power of two
    split[i] = hn::Mul(largest[i], hn::Set(d, 96.0));                               // 1.5 * 2^(e + 6)
    multiples[i] = rests[i] = hn::Zero(d);
  }
  for (size_t r = 0; r < count; ++r) {
    HWY_UNROLL(4)
    for (int i = 0; i < together; ++i) {
      const V v = hn::LoadU(d, rows + r * stride + i * lanes), multiple = hn::Sub(hn::Add(v, split[i]), split[i]);
      multiples[i] = hn::Add(multiples[i], multiple);
      rests[i] = hn::Add(rests[i], hn::Sub(v, multiple));
    }
  }
  for (int i = 0; i < together; ++i) {
    hn::StoreU(multiples[i], d, upper + i * lanes);
    hn::StoreU(rests[i], d, rest + i * lanes);
    const V least = hn::Max(hn::Mul(largest[i], hn::Set(d, 0x1p-42)), hn::Set(d, 0x1p-236));
    // What is not a number may not show in the largest one, but it does in the sums.
    const auto good = hn::And(hn::And(hn::Ge(smallest[i], least), hn::Lt(largest[i], hn::Set(d, 0x1p256))),
                              hn::Eq(rests[i], rests[i]));
    hn::StoreU(hn::IfThenElseZero(good, hn::Set(d, 1.0)), d, exact + i * lanes);
  }
}

void add_up(const double* rows, size_t count, size_t stride, size_t channels, double* upper, double* rest,
            double* exact) {
  constexpr int kTogether = 4;
  const hn::ScalableTag<double> d;
  const size_t lanes = hn::Lanes(d);
  size_t c = 0;
  for (; c + kTogether * lanes <= channels; c += kTogether * lanes)
    add_up_columns<kTogether>(d, rows + c, count, stride, upper + c, rest + c, exact + c);
  for_channels(channels - c, [&](auto one, size_t i) {
    add_up_columns<1>(one, rows + c + i, count, stride, upper + c + i, rest + c + i, exact + c + i);
  });
}

void products(const double* first, const double* second, double divisor, size_t rows, size_t stride, size_t channels,
              double* first_squared, double* second_squared, double* product) {
  for_channels(channels, [&](auto d, size_t c) {
    const auto by = hn::Set(d, divisor);
    for (size_t r = 0; r < rows; ++r) {
      const auto a = hn::Div(hn::LoadU(d, first + r * stride + c), by),
                 q = hn::Div(hn::LoadU(d, second + r * stride + c), by);
      hn::StoreU(hn::Mul(a, a), d, first_squared + r * channels + c);
      hn::StoreU(hn::Mul(q, q), d, second_squared + r * channels + c);
      hn::StoreU(hn::Mul(a, q), d, product + r * channels + c);
    }
  });
}

}  // namespace shiftnorm::stats::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::stats {
HWY_EXPORT(add_up);
HWY_EXPORT(products);

void add_up_rows(const double* rows, std::size_t count, std::size_t stride, std::size_t channels, double* upper,
                 double* rest, double* exact) {
  HWY_DYNAMIC_DISPATCH(add_up)(rows, count, stride, channels, upper, rest, exact);
}

void moment_products(const double* first, const double* second, double divisor, std::size_t rows, std::size_t stride,
                     std::size_t channels, double* first_squared, double* second_squared, double* product) {
  HWY_DYNAMIC_DISPATCH(products)
  (first, second, divisor, rows, stride, channels, first_squared, second_squared, product);
}

}  // namespace shiftnorm::stats
#endif
