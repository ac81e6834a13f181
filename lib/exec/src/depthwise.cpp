#include "depthwise.hpp"

#include <algorithm>
#include <optional>

#include "blocked_weights.hpp"
#include "normalise.hpp"
#include "prefetch.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "depthwise.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

#include "epilogue_vectors.hpp"

#ifndef SHIFTNORM_EXEC_DEPTHWISE_BLOCK
#define SHIFTNORM_EXEC_DEPTHWISE_BLOCK
namespace shiftnorm::exec {
namespace {

/// What one channel block of an image is computed from.
struct BlockOfChannels {
  std::int64_t kernel, stride, block;
  std::int64_t src_height, src_width, dst_width;
  std::int64_t pad_top, pad_left;
  const float* src;      ///< [src_height, src_width, block]
  const float* weights;  ///< [kernel, kernel, block]
  const float* bias;     ///< [block]
  BlockEpilogue epilogue;
};

}  // namespace
}  // namespace shiftnorm::exec
#endif

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Neighbouring results that are computed together: each value is loaded once for all of them. Widths of image networks
/// are multiples of it.
constexpr std::int64_t kTogether = 7;

/// `together` results of row y from column x on, in vectors at `lane`. edge: some taps lie in the padding.
template <int kernel, int stride, int block, int together, bool edge, class D>
HWY_INLINE void taps(D d, const BlockOfChannels& c, std::int64_t y, std::int64_t x, std::int64_t lane,
                     const float* HWY_RESTRICT added, float* HWY_RESTRICT dst) {
  using V = hn::Vec<D>;
  V sum[together];
  const V start = hn::LoadU(d, c.bias + lane);
  for (int i = 0; i < together; ++i) sum[i] = start;
  const std::int64_t top = y * stride - c.pad_top, left = x * stride - c.pad_left;
  const float* src = c.src + (top * c.src_width + left) * block + lane;
  for (int ky = 0; ky < kernel; ++ky) {
    if (top + ky < 0 || top + ky >= c.src_height) continue;
    const float* row = src + ky * c.src_width * block;
    V w[kernel];
    for (int kx = 0; kx < kernel; ++kx)
      w[kx] = hn::LoadU(d, c.weights + (std::int64_t{ky} * kernel + kx) * block + lane);
    HWY_UNROLL(32)
    for (int column = 0; column < (together - 1) * stride + kernel; ++column) {
      if (edge && (left + column < 0 || left + column >= c.src_width)) continue;
      const V v = loaded_once(hn::LoadU(d, row + std::int64_t{column} * block));
      HWY_UNROLL(8)
      for (int kx = 0; kx < kernel; ++kx) {
        const int i = (column - kx) / stride;
        if (column >= kx && (column - kx) % stride == 0 && i < together) sum[i] = hn::MulAdd(v, w[kx], sum[i]);
      }
    }
  }
  const std::int64_t at = x * block + lane;
  finish<block, together>(d, c.epilogue, lane, added == nullptr ? nullptr : added + at, sum);
  for (int i = 0; i < together; ++i) hn::StoreU(sum[i], d, dst + at + std::int64_t{i} * block);
}

/// Row y of the result. added: that row of a residual, or null.
template <int kernel, int stride, int block>
void row(const BlockOfChannels& c, std::int64_t y, const float* added, float* dst) {
  const hn::CappedTag<float, block> d;  // a vector never spans two pixels
  for (std::int64_t lane = 0; lane < block; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    if (c.dst_width < kTogether) {
      for (std::int64_t x = 0; x < c.dst_width; ++x) taps<kernel, stride, block, 1, true>(d, c, y, x, lane, added, dst);
      continue;
    }
    for (std::int64_t next = 0; next < c.dst_width; next += kTogether) {
      const std::int64_t x = std::min(next, c.dst_width - kTogether);  // the last ones are computed again
      const std::int64_t left = x * stride - c.pad_left, right = left + (kTogether - 1) * stride + kernel;
      if (left >= 0 && right <= c.src_width)
        taps<kernel, stride, block, kTogether, false>(d, c, y, x, lane, added, dst);
      else
        taps<kernel, stride, block, kTogether, true>(d, c, y, x, lane, added, dst);
    }
  }
}

template <int block>
void row_of_form(const BlockOfChannels& c, std::int64_t y, const float* added, float* dst) {
  if (c.kernel == 3) return c.stride == 1 ? row<3, 1, block>(c, y, added, dst) : row<3, 2, block>(c, y, added, dst);
  c.stride == 1 ? row<5, 1, block>(c, y, added, dst) : row<5, 2, block>(c, y, added, dst);
}

void depthwise_row(const BlockOfChannels& c, std::int64_t y, const float* added, float* dst) {
  c.block == 16 ? row_of_form<16>(c, y, added, dst) : row_of_form<8>(c, y, added, dst);
}

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
namespace {
HWY_EXPORT(depthwise_row);

/// Planes that are normalised as they are read: not so large that they leave that cache before they are used, nor so
/// small that it pays to normalise all of them in one go.
constexpr std::int64_t kLargestPlane = 16 << 10, kSmallestPlane = 2 << 10;

class Depthwise final : public Kernel {
 public:
  Depthwise(const ConvolutionShape& shape, std::int64_t block, std::shared_ptr<const BlockedWeights> weights,
            const Epilogue& epilogue = {}, const std::optional<Prologue>& prologue = {})
      : shape_(shape),
        src_(layout_of(shape.src, block)),
        dst_(layout_of(shape.dst, block)),
        weights_(std::move(weights)),
        epilogue_(epilogue),
        prologue_(prologue) {}

  double operations() const override {
    const auto taps = static_cast<double>(shape_.window.kernel[0] * shape_.window.kernel[1]);
    return 2 * taps * static_cast<double>(shape_.dst.elements());
  }

  std::size_t scratch_bytes() const override {
    return prologue_ ? static_cast<std::size_t>(plane()) * sizeof(float) : 0;
  }
  /// A plane of the source is normalised elsewhere before the one of the result is written.
  bool in_place(std::size_t) const override { return prologue_ && src_.pixels == dst_.pixels; }

  std::unique_ptr<Kernel> with_epilogue(const Epilogue& epilogue) const override {
    return std::make_unique<Depthwise>(shape_, dst_.block, weights_, epilogue, prologue_);
  }
  std::unique_ptr<Kernel> with_prologue(const Prologue& prologue) const override {
    if (plane() < kSmallestPlane || plane() > kLargestPlane) return nullptr;
    return std::make_unique<Depthwise>(shape_, dst_.block, weights_, epilogue_, prologue);
  }

  void run(const KernelArguments& a) const override {
    const graph::Window& w = shape_.window;
    const std::int64_t kernel = w.kernel[0], block = dst_.block, height = shape_.dst[2], width = shape_.dst[3] * block;
    for (std::int64_t b = 0; b < dst_.blocks(); ++b) {
      const BlockOfChannels c{kernel,
                              w.strides[0],
                              block,
                              shape_.src[2],
                              shape_.src[3],
                              shape_.dst[3],
                              w.pads_begin[0],
                              w.pads_begin[1],
                              prologue_ ? normalise(a, b) : a.src[0] + b * plane(),
                              weights_->weights.data() + b * kernel * kernel * block,
                              weights_->bias.data() + b * block,
                              of_block(epilogue_, a.affines, b * block)};
      const std::span<const float> prefetch = prologue_ ? next_plane(a, b) : std::span<const float>();
      for (std::int64_t y = 0; y < height; ++y) {
        if (prologue_)
          prefetch_share(prefetch, y, height);
        else if (a.prefetch.read.size() <= kPrefetchFloats)
          prefetch_share(a.prefetch.read, b * height + y, dst_.blocks() * height);
        const std::int64_t at = b * dst_.pixels * block + y * width;
        float* dst = a.dst + at;
        HWY_DYNAMIC_DISPATCH(depthwise_row)(c, y, epilogue_.residual ? a.src[1] + at : nullptr, dst);
        if (epilogue_.activation)  // while the row is near
          elementwise(epilogue_.activation->op, epilogue_.activation->a, epilogue_.activation->b, dst,
                      static_cast<std::size_t>(width), dst);
      }
    }
  }

 private:
  /// Floats of a channel block of the source.
  [[nodiscard]] std::int64_t plane() const { return src_.pixels * src_.block; }

  const float* normalise(const KernelArguments& a, std::int64_t b) const {
    auto* to = reinterpret_cast<float*>(a.scratch);
    const Affine& affine = a.affines[prologue_->set.number()];
    normalise_block(*prologue_, affine, b, src_.block, a.src[0] + b * plane(), src_.pixels, to);
    return to;
  }

  /// What is read from memory behind block b, if the source lies there: the next block, or the first of the next image.
  [[nodiscard]] std::span<const float> next_plane(const KernelArguments& a, std::int64_t b) const {
    if (!a.prefetch.is_source || a.prefetch.read.empty()) return {};
    return {b + 1 < src_.blocks() ? a.src[0] + (b + 1) * plane() : a.prefetch.read.data(),
            static_cast<std::size_t>(plane())};
  }

  ConvolutionShape shape_;
  Layout src_, dst_;
  std::shared_ptr<const BlockedWeights> weights_;
  Epilogue epilogue_;
  std::optional<Prologue> prologue_;
};

}  // namespace

bool depthwise_fits(const ConvolutionShape& shape) {
  const graph::Window& w = shape.window;
  const auto equal = [](const std::vector<std::int64_t>& v, std::int64_t low, std::int64_t high) {
    return v[0] == v[1] && v[0] >= low && v[0] <= high;
  };
  const std::int64_t channels = shape.src[1];
  return shape.src.rank() == 4 && shape.src[0] == 1 && shape.groups == channels && shape.dst[1] == channels &&
         equal(w.kernel, 3, 5) && w.kernel[0] != 4 && equal(w.strides, 1, 2) && equal(w.dilations, 1, 1);
}

std::unique_ptr<Kernel> compile_depthwise(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                          std::int64_t block) {
  return std::make_unique<Depthwise>(shape, block, block_weights(weights, bias, block));
}

}  // namespace shiftnorm::exec
#endif
