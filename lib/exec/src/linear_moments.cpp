#include "linear_moments.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear_moments.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

#ifndef SHIFTNORM_EXEC_LINEAR_MOMENTS_SOURCE
#define SHIFTNORM_EXEC_LINEAR_MOMENTS_SOURCE
namespace shiftnorm::exec {
namespace {

/// Channels are padded to whole vectors of doubles, with zeros.
constexpr std::int64_t kPadding = 8;
/// Pixels whose deviations stay in the nearest cache while all products are taken.
constexpr std::int64_t kPixels = 64;

/// Second moments of one image's channels, and where they come from.
struct Moments2 {
  std::int64_t channels, padded, pixels, block;
  const float* x;      ///< [blocks, pixels, block]
  double* centre;      ///< [padded]
  double* sum;         ///< [padded], of deviations from the centre
  double* product;     ///< [padded, padded], of two deviations; right of the diagonal
  double* deviations;  ///< [kPixels, padded]
};

/// One block of outputs.
struct Sums {
  std::int64_t inputs, block;
  const float* weights;  ///< [inputs, block]
  const float* bias;     ///< [block]
  const float* pivot;    ///< [block]
  double* sum;           ///< [block]
  double* square;        ///< [block]
};

}  // namespace
}  // namespace shiftnorm::exec
#endif

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, 8>;
using Floats = hn::Rebind<float, D>;

/// Channels whose products with a vector of others are in registers together; a multiple of every vector's length.
#if HWY_TARGET <= HWY_AVX3 || !HWY_ARCH_X86
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif
static_assert(kPadding % kRows == 0);

/// `count` pixels from `first` on become deviations, and are added to the sums.
void take_deviations(const Moments2& m, std::int64_t first, std::int64_t count) {
  const D d;
  const Floats narrow;
  for (std::int64_t c = 0; c < m.padded; c += static_cast<std::int64_t>(hn::Lanes(d))) {
    const float* x = m.x + (c / m.block * m.pixels + first) * m.block + c % m.block;
    const auto centre = hn::LoadU(d, m.centre + c);
    auto sum = hn::Zero(d);
    for (std::int64_t p = 0; p < count; ++p) {
      const auto deviation = hn::Sub(hn::PromoteTo(d, hn::LoadU(narrow, x + p * m.block)), centre);
      sum = hn::Add(sum, deviation);
      hn::StoreU(deviation, d, m.deviations + p * m.padded + c);
    }
    hn::StoreU(hn::Add(sum, hn::LoadU(d, m.sum + c)), d, m.sum + c);
  }
}

/// Products of kRows channels from `row` on with a vector of channels from `column` on.
HWY_INLINE void add_tile(const Moments2& m, std::int64_t row, std::int64_t column, std::int64_t count) {
  const D d;
  hn::Vec<D> sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = hn::Zero(d);
  const double* x = m.deviations;
  for (std::int64_t p = 0; p < count; ++p, x += m.padded) {
    const auto others = hn::LoadU(d, x + column);
    HWY_UNROLL(8)
    for (int r = 0; r < kRows; ++r) sum[r] = hn::MulAdd(hn::Set(d, x[row + r]), others, sum[r]);
  }
  for (int r = 0; r < kRows; ++r) {
    double* to = m.product + (row + r) * m.padded + column;
    hn::StoreU(hn::Add(sum[r], hn::LoadU(d, to)), d, to);
  }
}

void second_moments(const Moments2& m) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  std::fill_n(m.sum, m.padded, 0.0);
  std::fill_n(m.product, m.padded * m.padded, 0.0);
  // Any pixel does: in double the centre only has to be of the image's own size, and a constant channel deviates by 0.
  for (std::int64_t c = 0; c < m.padded; ++c)
    m.centre[c] = static_cast<double>(m.x[(c / m.block * m.pixels + m.pixels / 2) * m.block + c % m.block]);
  for (std::int64_t first = 0; first < m.pixels; first += kPixels) {
    const std::int64_t count = std::min(kPixels, m.pixels - first);
    take_deviations(m, first, count);
    for (std::int64_t row = 0; row < m.padded; row += kRows)
      for (std::int64_t column = row; column < m.padded; column += lanes) add_tile(m, row, column, count);
  }
}

void moments_of_sums(const Moments2& m, const Sums& s) {
  const D d;
  const Floats narrow;
  const auto pixels = hn::Set(d, static_cast<double>(m.pixels)), two = hn::Set(d, 2.0);
  double w[kMostLinearInputs * 8];
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t lane = 0; lane < s.block; lane += lanes) {
    const auto wide = [&](const float* from) { return hn::PromoteTo(d, hn::LoadU(narrow, from + lane)); };
    auto mean = hn::Sub(wide(s.bias), wide(s.pivot)), linear = hn::Zero(d), square = linear;
    for (std::int64_t i = 0; i < s.inputs; ++i) {
      const auto wi = wide(s.weights + i * s.block);
      hn::StoreU(wi, d, w + i * lanes);
      mean = hn::MulAdd(wi, hn::Set(d, m.centre[i]), mean);
      linear = hn::MulAdd(wi, hn::Set(d, m.sum[i]), linear);
    }
    for (std::int64_t i = 0; i < s.inputs; ++i) {
      const double* product = m.product + i * m.padded;
      auto others = hn::Zero(d);
      for (std::int64_t j = i + 1; j < s.inputs; ++j)
        others = hn::MulAdd(hn::Set(d, product[j]), hn::LoadU(d, w + j * lanes), others);
      const auto wi = hn::LoadU(d, w + i * lanes);
      square = hn::MulAdd(wi, hn::MulAdd(wi, hn::Set(d, product[i]), hn::Mul(two, others)), square);
    }
    const auto shift = hn::Mul(pixels, mean);
    hn::StoreU(hn::Add(linear, shift), d, s.sum + lane);
    hn::StoreU(hn::MulAdd(mean, hn::MulAdd(two, linear, shift), square), d, s.square + lane);
  }
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
namespace {
HWY_EXPORT(second_moments);
HWY_EXPORT(moments_of_sums);

std::int64_t padded(std::int64_t inputs) { return (inputs + kPadding - 1) / kPadding * kPadding; }

}  // namespace

std::size_t linear_moments_bytes(std::int64_t inputs) {
  return static_cast<std::size_t>(padded(inputs) * (2 + padded(inputs) + kPixels)) * sizeof(double);
}

void linear_moments(const Layout& layout, const float* x, const BlockedWeights& weights, std::span<const float> pivot,
                    std::byte* scratch, std::span<double> sum, std::span<double> square) {
  const std::int64_t n = padded(layout.channels), block = layout.block;
  auto* centre = reinterpret_cast<double*>(scratch);
  const Moments2 m{layout.channels,     n, layout.pixels, block, x, centre, centre + n, centre + 2 * n,
                   centre + (2 + n) * n};
  HWY_DYNAMIC_DISPATCH(second_moments)(m);
  const auto outputs = static_cast<std::int64_t>(pivot.size());
  for (std::int64_t o = 0; o < outputs; o += block) {
    const std::int64_t count = std::min(block, outputs - o);
    float around[16] = {};
    double sums[16], squares[16];
    std::copy_n(pivot.data() + o, count, around);
    HWY_DYNAMIC_DISPATCH(moments_of_sums)
    (m, {layout.channels, block, weights.weights.data() + o * layout.channels, weights.bias.data() + o, around, sums,
         squares});
    std::copy_n(sums, count, sum.data() + o);
    std::copy_n(squares, count, square.data() + o);
  }
}

}  // namespace shiftnorm::exec
#endif
