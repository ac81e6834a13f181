#include "copy_kernels.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace shiftnorm::exec {
namespace {

class Reorder final : public Kernel {
 public:
  Reorder(const Layout& from, const Layout& to) : from_(from), to_(to) {}
  void run(const KernelArguments& a) const override {
    for (std::int64_t c = 0; c < to_.padded_channels(); ++c) {
      for (std::int64_t p = 0; p < to_.pixels; ++p)
        a.dst[(c / to_.block * to_.pixels + p) * to_.block + c % to_.block] =
            c < from_.channels ? a.src[0][from_.at(c, p)] : 0.0f;
    }
  }

 private:
  Layout from_, to_;
};

/// dst[c, p] = src[channel_[c], pixel_[p]], or a constant where an index is -1.
class Gather final : public Kernel {
 public:
  Gather(const Layout& src, const Layout& dst, std::vector<std::int64_t> channel, std::vector<std::int64_t> pixel,
         float fill)
      : src_(src), dst_(dst), channel_(std::move(channel)), pixel_(std::move(pixel)), fill_(fill) {}
  void run(const KernelArguments& a) const override {
    for (std::int64_t c = 0; c < dst_.padded_channels(); ++c) {
      const std::int64_t from = c < dst_.channels ? channel_[static_cast<std::size_t>(c)] : -1;
      const float absent = c < dst_.channels ? fill_ : 0.0f;
      float* dst = a.dst + dst_.at(0, 0) + c / dst_.block * dst_.pixels * dst_.block + c % dst_.block;
      const float* src =
          from < 0 ? nullptr : a.src[0] + from / src_.block * src_.pixels * src_.block + from % src_.block;
      for (std::size_t p = 0; p < pixel_.size(); ++p, dst += dst_.block)
        *dst = src != nullptr && pixel_[p] >= 0 ? src[pixel_[p] * src_.block] : absent;
    }
  }

 private:
  Layout src_, dst_;
  std::vector<std::int64_t> channel_, pixel_;
  float fill_;
};

/// For every element of a block of extents `dst` the flat index into `src`, or -1; axis i maps x to from + x * step.
std::vector<std::int64_t> index_map(std::span<const std::int64_t> src, std::span<const std::int64_t> dst,
                                    std::span<const std::int64_t> from, std::span<const std::int64_t> step) {
  std::int64_t total = 1;
  for (const std::int64_t n : dst) total *= n;
  std::vector<std::int64_t> map(static_cast<std::size_t>(total));
  for (std::int64_t flat = 0; flat < total; ++flat) {
    std::int64_t rest = flat, at = 0, stride = 1;
    for (std::size_t i = dst.size(); i-- > 0;) {
      const std::int64_t x = from[i] + rest % dst[i] * step[i];
      rest /= dst[i];
      at = at < 0 || x < 0 || x >= src[i] ? -1 : at + x * stride;
      stride *= src[i];
    }
    map[static_cast<std::size_t>(flat)] = at;
  }
  return map;
}

std::unique_ptr<Kernel> gather(const Shape& src, const Shape& dst, const std::vector<std::int64_t>& from,
                               const std::vector<std::int64_t>& step, float fill, std::int64_t block) {
  const auto part = [](const std::vector<std::int64_t>& v, std::size_t first, std::size_t last) {
    return std::span<const std::int64_t>(v).subspan(std::min(first, v.size()),
                                                    std::min(last, v.size()) - std::min(first, v.size()));
  };
  const std::size_t rank = src.rank();
  auto channel = index_map(part(src.extents(), 1, 2), part(dst.extents(), 1, 2), part(from, 1, 2), part(step, 1, 2));
  auto pixel =
      index_map(part(src.extents(), 2, rank), part(dst.extents(), 2, rank), part(from, 2, rank), part(step, 2, rank));
  return std::make_unique<Gather>(layout_of(src, block), layout_of(dst, block), std::move(channel), std::move(pixel),
                                  fill);
}

class ChannelConcat final : public Kernel {
 public:
  explicit ChannelConcat(std::vector<Layout> src) : src_(std::move(src)), dst_(src_.front()) {
    dst_.channels = 0;
    for (const Layout& layout : src_) dst_.channels += layout.channels;
  }
  void run(const KernelArguments& a) const override {
    std::int64_t first = 0;
    for (std::size_t i = 0; i < src_.size(); first += src_[i++].channels) {
      const bool whole = first % dst_.block == 0 && src_[i].channels % dst_.block == 0;
      if (whole) {
        std::memcpy(a.dst + first * dst_.pixels, a.src[i], static_cast<std::size_t>(src_[i].floats()) * sizeof(float));
      } else {
        for (std::int64_t c = 0; c < src_[i].channels; ++c) copy_channel(a.src[i] + src_[i].at(c, 0), a.dst, first + c);
      }
    }
    for (std::int64_t c = dst_.channels; c < dst_.padded_channels(); ++c)
      for (std::int64_t p = 0; p < dst_.pixels; ++p)
        a.dst[(c / dst_.block * dst_.pixels + p) * dst_.block + c % dst_.block] = 0.0f;
  }

 private:
  void copy_channel(const float* from, float* dst, std::int64_t channel) const {
    float* to = dst + dst_.at(channel, 0);
    for (std::int64_t p = 0; p < dst_.pixels; ++p) to[p * dst_.block] = from[p * dst_.block];
  }

  std::vector<Layout> src_;
  Layout dst_;
};

class Copy final : public Kernel {
 public:
  explicit Copy(std::int64_t floats) : floats_(static_cast<std::size_t>(floats)) {}
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override {
    if (a.dst != a.src[0]) std::memcpy(a.dst, a.src[0], floats_ * sizeof(float));
  }

 private:
  std::size_t floats_;
};

}  // namespace

std::unique_ptr<Kernel> compile_reorder(const Layout& from, const Layout& to) {
  return std::make_unique<Reorder>(from, to);
}

std::unique_ptr<Kernel> compile_slice(const Shape& src, const Shape& dst, std::vector<graph::SliceAxis> axes,
                                      std::int64_t block) {
  std::vector<std::int64_t> from, step;
  for (const graph::SliceAxis& axis : axes) {
    from.push_back(axis.start);
    step.push_back(axis.step);
  }
  return gather(src, dst, from, step, 0.0f, block);
}

std::unique_ptr<Kernel> compile_pad(const Shape& src, const Shape& dst, std::vector<std::int64_t> before, float value,
                                    std::int64_t block) {
  for (std::int64_t& b : before) b = -b;
  return gather(src, dst, before, std::vector<std::int64_t>(before.size(), 1), value, block);
}

std::unique_ptr<Kernel> compile_gather(const Shape& src, std::vector<std::int64_t> indices, std::int64_t block) {
  const Layout from = layout_of(src, block);
  Layout to = from;
  to.channels = static_cast<std::int64_t>(indices.size());
  std::vector<std::int64_t> pixels(static_cast<std::size_t>(from.pixels));
  std::iota(pixels.begin(), pixels.end(), 0);
  return std::make_unique<Gather>(from, to, std::move(indices), std::move(pixels), 0.0f);
}

std::unique_ptr<Kernel> compile_channel_concat(std::vector<Layout> src) {
  return std::make_unique<ChannelConcat>(std::move(src));
}
std::unique_ptr<Kernel> compile_copy(std::int64_t floats) { return std::make_unique<Copy>(floats); }

}  // namespace shiftnorm::exec
