#include "depthwise.hpp"

#include <algorithm>

#include "blocked_weights.hpp"
#include "gives_pixels.hpp"

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
  std::int64_t ring;     ///< rows of the source that are there: row y lies where y % ring says
  const float* src;      ///< [ring, src_width, block]
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
constexpr int kTogether = 7;

/// `together` results of a row from column x on, in vectors at `lane`. rows: of the source, null in the padding. edge:
/// some taps lie in the padding beside them.
template <int kernel, int stride, int block, int together, bool edge, class D>
HWY_INLINE void taps(D d, const BlockOfChannels& c, const float* const* rows, std::int64_t x, std::int64_t lane,
                     const float* HWY_RESTRICT added, float* HWY_RESTRICT dst) {
  using V = hn::Vec<D>;
  V sum[together];
  const V start = hn::LoadU(d, c.bias + lane);
  for (int i = 0; i < together; ++i) sum[i] = start;
  const std::int64_t left = x * stride - c.pad_left;
  for (int ky = 0; ky < kernel; ++ky) {
    if (rows[ky] == nullptr) continue;
    const float* row = rows[ky] + left * block + lane;
    V w[kernel];
    for (int kx = 0; kx < kernel; ++kx) w[kx] = hn::LoadU(d, c.weights + (ky * kernel + kx) * block + lane);
    HWY_UNROLL(32)
    for (int column = 0; column < (together - 1) * stride + kernel; ++column) {
      if (edge && (left + column < 0 || left + column >= c.src_width)) continue;
      const V v = loaded_once(hn::LoadU(d, row + column * block));
      HWY_UNROLL(8)
      for (int kx = 0; kx < kernel; ++kx) {
        const int i = (column - kx) / stride;
        if (column >= kx && (column - kx) % stride == 0 && i < together) sum[i] = hn::MulAdd(v, w[kx], sum[i]);
      }
    }
  }
  const std::int64_t at = x * block + lane;
  finish<block, together>(d, c.epilogue, lane, added == nullptr ? nullptr : added + at, sum);
  for (int i = 0; i < together; ++i) hn::StoreU(sum[i], d, dst + at + i * block);
}

/// Row y of the result. added: that row of a residual, or null.
template <int kernel, int stride, int block>
void row(const BlockOfChannels& c, std::int64_t y, const float* added, float* dst) {
  const hn::CappedTag<float, block> d;  // a vector never spans two pixels
  const float* rows[kernel];
  for (int ky = 0; ky < kernel; ++ky) {
    const std::int64_t from = y * stride - c.pad_top + ky;
    rows[ky] = from < 0 || from >= c.src_height ? nullptr : c.src + from % c.ring * c.src_width * block;
  }
  for (std::int64_t lane = 0; lane < block; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    if (c.dst_width < kTogether) {
      for (std::int64_t x = 0; x < c.dst_width; ++x)
        taps<kernel, stride, block, 1, true>(d, c, rows, x, lane, added, dst);
      continue;
    }
    for (std::int64_t next = 0; next < c.dst_width; next += kTogether) {
      const std::int64_t x = std::min(next, c.dst_width - kTogether);  // the last ones are computed again
      const std::int64_t left = x * stride - c.pad_left, right = left + (kTogether - 1) * stride + kernel;
      if (left >= 0 && right <= c.src_width)
        taps<kernel, stride, block, kTogether, false>(d, c, rows, x, lane, added, dst);
      else
        taps<kernel, stride, block, kTogether, true>(d, c, rows, x, lane, added, dst);
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

class Depthwise final : public Kernel {
 public:
  Depthwise(const ConvolutionShape& shape, std::int64_t block, std::shared_ptr<const BlockedWeights> weights,
            const Epilogue& epilogue = {})
      : shape_(shape),
        src_(layout_of(shape.src, block)),
        dst_(layout_of(shape.dst, block)),
        weights_(std::move(weights)),
        epilogue_(epilogue) {}

  double operations() const override {
    const auto taps = static_cast<double>(shape_.window.kernel[0] * shape_.window.kernel[1]);
    return 2 * taps * static_cast<double>(shape_.dst.elements());
  }

  std::unique_ptr<Kernel> with_epilogue(const Epilogue& epilogue) const override {
    return std::make_unique<Depthwise>(shape_, dst_.block, weights_, epilogue);
  }

  std::unique_ptr<Kernel> behind(const Kernel& source) const override;

  void run(const KernelArguments& a) const override {
    for (std::int64_t b = 0; b < dst_.blocks(); ++b)
      run_rows(a, b, 0, shape_.dst[2], a.src[0] + b * src_.pixels * src_.block, shape_.src[2]);
  }

  /// Rows [first, end) of a channel block. src: of that block, a ring of so many rows.
  void run_rows(const KernelArguments& a, std::int64_t b, std::int64_t first, std::int64_t end, const float* src,
                std::int64_t ring) const {
    const graph::Window& w = shape_.window;
    const std::int64_t kernel = w.kernel[0], block = dst_.block, width = shape_.dst[3] * block;
    const BlockOfChannels c{kernel,
                            w.strides[0],
                            block,
                            shape_.src[2],
                            shape_.src[3],
                            shape_.dst[3],
                            w.pads_begin[0],
                            w.pads_begin[1],
                            ring,
                            src,
                            weights_->weights.data() + b * kernel * kernel * block,
                            weights_->bias.data() + b * block,
                            of_block(epilogue_, a.affines, b * block)};
    for (std::int64_t y = first; y < end; ++y) {
      const std::int64_t at = b * dst_.pixels * block + y * width;
      float* dst = a.dst + at;
      HWY_DYNAMIC_DISPATCH(depthwise_row)(c, y, epilogue_.residual ? a.src[1] + at : nullptr, dst);
      if (epilogue_.activation)  // while the row is near
        elementwise(epilogue_.activation->op, epilogue_.activation->a, epilogue_.activation->b, dst,
                    static_cast<std::size_t>(width), dst);
    }
  }

 private:
  ConvolutionShape shape_;
  Layout src_, dst_;
  std::shared_ptr<const BlockedWeights> weights_;
  Epilogue epilogue_;

  friend class DepthwiseBehind;
};

/// A depthwise convolution of what another kernel gives: rows are made as they are needed, in a ring that stays in the
/// cache.
class DepthwiseBehind final : public Kernel {
 public:
  DepthwiseBehind(const Depthwise& depthwise, const Kernel& source, const GivesPixels& gives)
      : depthwise_(depthwise), source_(source), gives_(gives) {
    const std::int64_t row_bytes = depthwise.shape_.src[3] * depthwise.src_.padded_channels() *
                                   static_cast<std::int64_t>(sizeof(float)),
                       kernel = depthwise.shape_.window.kernel[0];
    ring_ = std::min(depthwise.shape_.src[2], std::max(2 * kernel, kRingBytes / row_bytes));
  }

  double operations() const override { return source_.operations() + depthwise_.operations(); }
  std::size_t scratch_bytes() const override {
    return static_cast<std::size_t>(ring_ * depthwise_.shape_.src[3] * depthwise_.src_.padded_channels()) *
           sizeof(float);
  }

  void run(const KernelArguments& a) const override {
    const graph::Window& w = depthwise_.shape_.window;
    const std::int64_t height = depthwise_.shape_.src[2], width = depthwise_.shape_.src[3],
                       rows = depthwise_.shape_.dst[2], plane = ring_ * width, block = depthwise_.src_.block;
    auto* ring = reinterpret_cast<float*>(a.scratch);
    const auto reach = [&](std::int64_t y) {  // the source's rows that rows up to y need
      return std::min(height, y * w.strides[0] - w.pads_begin[0] + w.kernel[0]);
    };
    for (std::int64_t y = 0, made = 0; y < rows;) {
      // As many rows as the ring can hold with the first one that this one still reads.
      const std::int64_t oldest = std::max<std::int64_t>(0, y * w.strides[0] - w.pads_begin[0]);
      std::int64_t end = y + 1;
      while (end < rows && reach(end) <= oldest + ring_) ++end;
      for (const std::int64_t wanted = reach(end - 1); made < wanted;) {
        const std::int64_t slot = made % ring_, count = std::min(wanted - made, ring_ - slot);
        gives_.give_pixels(a, made * width, count * width, ring + slot * width * block, plane);
        made += count;
      }
      for (std::int64_t b = 0; b < depthwise_.dst_.blocks(); ++b)
        depthwise_.run_rows(a, b, y, end, ring + b * plane * block, ring_);
      y = end;
    }
  }

 private:
  /// Of the second cache level of a core, half a megabyte to two megabytes.
  static constexpr std::int64_t kRingBytes = std::int64_t{320} << 10;

  Depthwise depthwise_;
  const Kernel& source_;
  const GivesPixels& gives_;
  std::int64_t ring_ = 0;
};

std::unique_ptr<Kernel> Depthwise::behind(const Kernel& source) const {
  const auto* gives = dynamic_cast<const GivesPixels*>(&source);
  if (gives == nullptr || epilogue_.residual) return nullptr;
  return std::make_unique<DepthwiseBehind>(*this, source, *gives);
}

}  // namespace

std::unique_ptr<Kernel> compile_depthwise(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                          std::int64_t block) {
  const graph::Window& w = shape.window;
  const auto equal = [](const std::vector<std::int64_t>& v, std::int64_t low, std::int64_t high) {
    return v[0] == v[1] && v[0] >= low && v[0] <= high;
  };
  const std::int64_t channels = shape.src[1];
  if (shape.src.rank() != 4 || shape.src[0] != 1 || shape.groups != channels || shape.dst[1] != channels ||
      !equal(w.kernel, 3, 5) || w.kernel[0] == 4 || !equal(w.strides, 1, 2) || !equal(w.dilations, 1, 1))
    return nullptr;
  return std::make_unique<Depthwise>(shape, block, block_weights(weights, bias, block));
}

}  // namespace shiftnorm::exec
#endif
