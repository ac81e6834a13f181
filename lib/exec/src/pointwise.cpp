#include "pointwise.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "blocked_weights.hpp"
#include "linear_moments.hpp"
#include "normalise.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "pointwise.cpp"
#include <hwy/foreach_target.h>
// foreach_target must come first
#include <hwy/highway.h>

#include "epilogue_vectors.hpp"

#ifndef SHIFTNORM_EXEC_POINTWISE_PIXELS
#define SHIFTNORM_EXEC_POINTWISE_PIXELS
namespace shiftnorm::exec {
namespace {

/// Channel blocks of the result that are computed together.
constexpr std::int64_t kBlocks = 3;

/// Neighbouring pixels of at most so many blocks.
struct Pixels {
  std::int64_t inputs, block, blocks;
  bool half;                        ///< the last block has channels in its first half alone
  std::int64_t src_step, dst_step;  ///< floats from one channel block to the next
  std::int64_t count;
  const float* src;
  const float* weights;  ///< [blocks, inputs, block]
  const float* bias;     ///< [blocks, block]
  const float* added;    ///< residual, or null
  float* dst;
  const BlockEpilogue* epilogue;  ///< [blocks]
  const float* prefetch;          ///< as many pixels of as many inputs, to prefetch; null: none
  std::int64_t prefetch_step;     ///< floats from one channel block of them to the next
};

}  // namespace
}  // namespace shiftnorm::exec
#endif

HWY_BEFORE_NAMESPACE();
namespace shiftnorm::exec::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Pixels whose results are in registers together: so many of so many blocks leave room for the weights.
#if HWY_TARGET <= HWY_AVX3 || !HWY_ARCH_X86
constexpr int together_of(std::int64_t blocks) { return blocks > 2 ? 9 : 14; }
#else
constexpr int together_of(std::int64_t blocks) { return blocks > 2 ? 4 : 6; }
#endif

/// Prefetches one pixel of a channel block with every product of an input and a weight, so that memory keeps up: a
/// pixel for each of the tile's, of which there are at most as many as inputs in a block.
HWY_INLINE void prefetch(const Pixels& p, std::int64_t input, std::int64_t pixel) {
  if (p.prefetch != nullptr) __builtin_prefetch(p.prefetch + input / p.block * p.prefetch_step + pixel * p.block);
}

template <int block, int blocks, int together, class D>
HWY_INLINE void tile(D d, const Pixels& p, std::int64_t pixel, std::int64_t lane) {
  using V = hn::Vec<D>;
  V sum[blocks][together];
  HWY_UNROLL(4)
  for (int b = 0; b < blocks; ++b) {
    const V start = hn::LoadU(d, p.bias + std::int64_t{b} * block + lane);
    HWY_UNROLL(16)
    for (int i = 0; i < together; ++i) sum[b][i] = start;
  }
  const float* weights = p.weights + lane;
  const std::int64_t next_block = p.inputs * block;
  for (std::int64_t input = 0; input < p.inputs; input += block) {
    const float* src = p.src + input / block * p.src_step + pixel * block;
    const std::int64_t channels = std::min<std::int64_t>(block, p.inputs - input);
    for (std::int64_t c = 0; c < channels; ++c, ++src, weights += block) {
      if (c < together) prefetch(p, input, pixel + c);
      V w[blocks];
      for (int b = 0; b < blocks; ++b) w[b] = hn::LoadU(d, weights + b * next_block);
      HWY_UNROLL(16)
      for (int i = 0; i < together; ++i) {
        const V x = hn::Set(d, src[std::int64_t{i} * block]);
        for (int b = 0; b < blocks; ++b) sum[b][i] = hn::MulAdd(x, w[b], sum[b][i]);
      }
    }
  }
  HWY_UNROLL(4)
  for (int b = 0; b < blocks; ++b) {
    const std::int64_t at = b * p.dst_step + pixel * block + lane;
    finish<block, together>(d, p.epilogue[b], lane, p.added == nullptr ? nullptr : p.added + at, sum[b]);
    HWY_UNROLL(16)
    for (int i = 0; i < together; ++i) hn::StoreU(sum[b][i], d, p.dst + at + std::int64_t{i} * block);
  }
}

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
/// The same where the last of the blocks has results in its first half alone: half vectors cost half as much.
template <int blocks, int together>
HWY_INLINE void half_tile(const Pixels& p, std::int64_t pixel) {
  constexpr std::int64_t kBlock = 16;
  constexpr int kFull = blocks - 1;
  const hn::CappedTag<float, 16> d;
  const hn::Half<decltype(d)> h;
  hn::Vec<decltype(d)> sum[kFull > 0 ? kFull : 1][together];
  hn::Vec<decltype(h)> last[together];
  HWY_UNROLL(16)
  for (int i = 0; i < together; ++i) {
    for (int b = 0; b < kFull; ++b) sum[b][i] = hn::LoadU(d, p.bias + b * kBlock);
    last[i] = hn::LoadU(h, p.bias + kFull * kBlock);
  }
  const float* weights = p.weights;
  const std::int64_t next_block = p.inputs * kBlock;
  for (std::int64_t input = 0; input < p.inputs; input += kBlock) {
    const float* src = p.src + input / kBlock * p.src_step + pixel * kBlock;
    const std::int64_t channels = std::min<std::int64_t>(kBlock, p.inputs - input);
    for (std::int64_t c = 0; c < channels; ++c, ++src, weights += kBlock) {
      if (c < together) prefetch(p, input, pixel + c);
      hn::Vec<decltype(d)> w[kFull > 0 ? kFull : 1];
      for (int b = 0; b < kFull; ++b) w[b] = hn::LoadU(d, weights + b * next_block);
      const auto narrow = hn::LoadU(h, weights + kFull * next_block);
      HWY_UNROLL(16)
      for (int i = 0; i < together; ++i) {
        const auto x = loaded_once(hn::Set(d, src[i * kBlock]));
        for (int b = 0; b < kFull; ++b) sum[b][i] = hn::MulAdd(x, w[b], sum[b][i]);
        last[i] = hn::MulAdd(hn::LowerHalf(h, x), narrow, last[i]);
      }
    }
  }
  const auto added = [&](int b) { return p.added == nullptr ? nullptr : p.added + b * p.dst_step + pixel * kBlock; };
  HWY_UNROLL(4)
  for (int b = 0; b < kFull; ++b) {
    finish<kBlock, together>(d, p.epilogue[b], 0, added(b), sum[b]);
    for (int i = 0; i < together; ++i) hn::StoreU(sum[b][i], d, p.dst + b * p.dst_step + (pixel + i) * kBlock);
  }
  finish<kBlock, together>(h, p.epilogue[kFull], 0, added(kFull), last);
  for (int i = 0; i < together; ++i) {
    float* dst = p.dst + kFull * p.dst_step + (pixel + i) * kBlock;
    hn::StoreU(last[i], h, dst);
    hn::StoreU(hn::Zero(h), h, dst + kBlock / 2);
  }
}

template <int blocks>
void pixels_with_half(const Pixels& p) {
  constexpr int kTogether = together_of(blocks);
  if (p.count < kTogether) {
    for (std::int64_t i = 0; i < p.count; ++i) half_tile<blocks, 1>(p, i);
    return;
  }
  for (std::int64_t i = 0; i < p.count; i += kTogether)
    half_tile<blocks, kTogether>(p, std::min(i, p.count - kTogether));
}
#endif

template <int block, int blocks>
void pixels_of_blocks(const Pixels& p) {
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
  if constexpr (block == 16)
    if (p.half) return pixels_with_half<blocks>(p);
#endif
  const hn::CappedTag<float, block> d;  // a vector never spans two pixels
  constexpr int kTogether = together_of(blocks);
  for (std::int64_t lane = 0; lane < block; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
    if (p.count < kTogether) {
      for (std::int64_t i = 0; i < p.count; ++i) tile<block, blocks, 1>(d, p, i, lane);
      continue;
    }
    // The last ones are computed again.
    for (std::int64_t i = 0; i < p.count; i += kTogether)
      tile<block, blocks, kTogether>(d, p, std::min(i, p.count - kTogether), lane);
  }
}

template <int block>
void pixels_of_form(const Pixels& p) {
  if (p.blocks == 1) return pixels_of_blocks<block, 1>(p);
  if (p.blocks == 2) return pixels_of_blocks<block, 2>(p);
  pixels_of_blocks<block, 3>(p);
}

std::int64_t pixels_together(std::int64_t blocks) { return together_of(blocks); }

void pointwise_pixels(const Pixels& p) { p.block == 16 ? pixels_of_form<16>(p) : pixels_of_form<8>(p); }

}  // namespace shiftnorm::exec::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace shiftnorm::exec {
namespace {
HWY_EXPORT(pointwise_pixels);
HWY_EXPORT(pixels_together);

/// Beyond so many inputs oneDNN is as fast, up to a tenth faster, and the epilogue is of no weight.
constexpr std::int64_t kInputs = 40;
/// Unless at most half as many outputs, and no more than this, are computed of each input, which takes little longer
/// than to read it from memory: then it matters that both happen at once. Images of few pixels are read too soon.
constexpr std::int64_t kOutputs = 96, kPixels = 128;
/// Unless it computes half a block of zeros, where outputs are few: it knows whole blocks alone.
constexpr std::int64_t kHalvesPay = 40;
/// Floats of the source that stay in the nearest cache while all outputs are computed from them, in whole tiles.
constexpr std::int64_t kNear = 4096, kPiece = 126;
/// The same where they are normalised as they are read: some of them are in the second-level cache.
constexpr std::int64_t kNearNormalised = 10752;

bool ends_in_half(const Layout& layout) {
  const std::int64_t rest = layout.channels % layout.block;
  return layout.block == 16 && rest > 0 && rest <= layout.block / 2;
}

/// What is done to a source as it is read: one of them or neither.
struct Source {
  bool gated = false;  ///< the second source is a factor for each input
  std::optional<Prologue> prologue;
};

class Pointwise final : public Kernel {
 public:
  Pointwise(const Layout& src, const Layout& dst, std::shared_ptr<const BlockedWeights> weights,
            const Epilogue& epilogue = {}, const Source& source = {})
      : src_(src), dst_(dst), weights_(std::move(weights)), epilogue_(epilogue), source_(source) {}

  double operations() const override {
    return 2 * static_cast<double>(src_.channels) * static_cast<double>(dst_.channels) *
           static_cast<double>(dst_.pixels);
  }

  /// Products of all pairs of inputs, in vectors of half as many doubles, against a pass that writes the results, one
  /// that sums them and one that normalises them, which wait for memory.
  bool knows_moments() const override {
    return !source_.gated && src_.channels <= kMostLinearInputs && src_.channels * src_.channels <= 4 * dst_.channels;
  }
  std::size_t scratch_bytes() const override {
    if (source_.gated) return weights_->weights.size() * sizeof(float);
    // The last piece may be nearly twice as long as the others.
    if (source_.prologue) return static_cast<std::size_t>(2 * piece() * src_.padded_channels()) * sizeof(float);
    return knows_moments() ? linear_moments_bytes(src_.channels) : 0;
  }
  void result_moments(const float* src, std::span<const float> pivot, std::byte* scratch, std::span<double> sum,
                      std::span<double> square) const override {
    linear_moments(src_, src, *weights_, pivot, scratch, sum, square);
  }

  std::unique_ptr<Kernel> with_epilogue(const Epilogue& epilogue) const override {
    return std::make_unique<Pointwise>(src_, dst_, weights_, epilogue, source_);
  }

  std::unique_ptr<Kernel> with_prologue(const Prologue& prologue) const override {
    if (source_.gated || !narrows(src_, dst_)) return nullptr;
    return std::make_unique<Pointwise>(src_, dst_, weights_, epilogue_, Source{false, prologue});
  }

  /// The factors go into the weights, which are fewer than the pixels' values.
  std::unique_ptr<Kernel> with_gate() const override {
    if (source_.prologue || dst_.padded_channels() > dst_.pixels) return nullptr;
    return std::make_unique<Pointwise>(src_, dst_, weights_, epilogue_, Source{true, {}});
  }

  void run(const KernelArguments& a) const override {
    const float* weights = source_.gated ? gate_weights(a) : weights_->weights.data();
    const std::int64_t near = piece(), block = dst_.block;
    for (std::int64_t first = 0; first < dst_.pixels;) {
      // No short rest: a piece is never computed again after its activation.
      const std::int64_t left = dst_.pixels - first, count = left < 2 * near ? left : near;
      Piece of{first, count, a.src[0] + first * block, src_.pixels * block, prefetched_behind(a, first + count, count)};
      if (source_.prologue) normalise(a, of);
      std::int64_t parts = (dst_.blocks() + kBlocks - 1) / kBlocks;
      for (std::int64_t b = 0, blocks = 0; parts > 0; b += blocks, --parts) {
        blocks = (dst_.blocks() - b + parts - 1) / parts;  // evenly
        run_piece(a, weights, b, blocks, of);
        of.prefetch = nullptr;
      }
      first += count;
    }
  }

  /// Whether reading the source takes about as long as computing with it.
  static bool narrows(const Layout& src, const Layout& dst) {
    return dst.channels <= kOutputs && 2 * dst.channels <= src.channels && dst.pixels >= kPixels;
  }

 private:
  /// Neighbouring pixels of all channels.
  struct Piece {
    std::int64_t first, count;
    const float* src;
    std::int64_t src_step;  ///< floats from one channel block to the next
    const float* prefetch;  ///< in the layout of the source
  };

  [[nodiscard]] std::int64_t piece() const {
    if (!source_.prologue) return std::max<std::int64_t>(1, kNear / src_.channels / kPiece) * kPiece;
    const std::int64_t parts = (dst_.blocks() + kBlocks - 1) / kBlocks,
                       tile = HWY_DYNAMIC_DISPATCH(pixels_together)((dst_.blocks() + parts - 1) / parts);
    return std::max<std::int64_t>(1, kNearNormalised / src_.padded_channels() / tile) * tile;
  }

  /// `count` pixels that are read from memory after those before `next`, if the source lies there: the image's own, or
  /// the next image's first ones.
  [[nodiscard]] const float* prefetched_behind(const KernelArguments& a, std::int64_t next, std::int64_t count) const {
    if (!a.prefetch.is_source || a.prefetch.read.empty()) return nullptr;
    return next + count <= src_.pixels ? a.src[0] + next * src_.block : a.prefetch.read.data();
  }

  void normalise(const KernelArguments& a, Piece& piece) const {
    const Affine& affine = a.affines[source_.prologue->set.number()];
    auto* to = reinterpret_cast<float*>(a.scratch);
    const std::int64_t floats = piece.count * src_.block;
    for (std::int64_t b = 0; b < src_.blocks(); ++b)
      normalise_block(*source_.prologue, affine, b, src_.block, piece.src + b * piece.src_step, piece.count,
                      to + b * floats);
    piece.src = to;
    piece.src_step = floats;
  }

  const float* gate_weights(const KernelArguments& a) const {
    auto* to = reinterpret_cast<float*>(a.scratch);
    const std::int64_t block = dst_.block;
    for (std::int64_t b = 0, at = 0; b < dst_.blocks(); ++b)
      for (std::int64_t input = 0; input < src_.channels; ++input)
        for (std::int64_t lane = 0; lane < block; ++lane, ++at)
          to[at] = weights_->weights[static_cast<std::size_t>(at)] * a.src[1][input];
    return to;
  }

  void run_piece(const KernelArguments& a, const float* weights, std::int64_t b, std::int64_t blocks,
                 const Piece& piece) const {
    const std::int64_t block = dst_.block, at = (b * dst_.pixels + piece.first) * block;
    std::array<BlockEpilogue, kBlocks> epilogue;
    for (std::int64_t i = 0; i < blocks; ++i)
      epilogue[static_cast<std::size_t>(i)] = of_block(epilogue_, a.affines, (b + i) * block);
    const Pixels pixels{src_.channels,
                        block,
                        blocks,
                        b + blocks == dst_.blocks() && ends_in_half(dst_),
                        piece.src_step,
                        dst_.pixels * block,
                        piece.count,
                        piece.src,
                        weights + b * src_.channels * block,
                        weights_->bias.data() + std::int64_t{b} * block,
                        epilogue_.residual ? a.src.back() + at : nullptr,
                        a.dst + at,
                        epilogue.data(),
                        piece.prefetch,
                        src_.pixels * block};
    HWY_DYNAMIC_DISPATCH(pointwise_pixels)(pixels);
    if (!epilogue_.activation) return;
    for (std::int64_t i = 0; i < blocks; ++i) {  // while they are near
      float* dst = a.dst + at + i * dst_.pixels * block;
      elementwise(epilogue_.activation->op, epilogue_.activation->a, epilogue_.activation->b, dst,
                  static_cast<std::size_t>(piece.count * block), dst);
    }
  }

  Layout src_, dst_;
  std::shared_ptr<const BlockedWeights> weights_;
  Epilogue epilogue_;
  Source source_;
};

}  // namespace

bool pointwise_pays(const ConvolutionShape& shape, std::int64_t block) {
  const graph::Window& w = shape.window;
  const auto all = [](const std::vector<std::int64_t>& v, std::int64_t value) {
    return std::ranges::all_of(v, [value](std::int64_t x) { return x == value; });
  };
  const Layout src = layout_of(shape.src, block), dst = layout_of(shape.dst, block);
  if (shape.src[0] != 1 || shape.groups != 1 || !all(w.kernel, 1) || !all(w.strides, 1) || src.pixels != dst.pixels ||
      !all(w.pads_begin, 0))
    return false;
  const bool halves = dst.channels <= kHalvesPay && ends_in_half(dst);
  return src.channels <= kInputs || halves || Pointwise::narrows(src, dst);
}

std::unique_ptr<Kernel> compile_pointwise(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                          std::int64_t block) {
  return std::make_unique<Pointwise>(layout_of(shape.src, block), layout_of(shape.dst, block),
                                     block_weights(weights, bias, block));
}

}  // namespace shiftnorm::exec
#endif
