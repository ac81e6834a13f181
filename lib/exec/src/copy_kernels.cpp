#include "copy_kernels.hpp"

#include <algorithm>
#include <cstring>

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

class ChannelConcat final : public Kernel {
 public:
  explicit ChannelConcat(std::vector<Layout> src) : src_(std::move(src)), dst_(src_.front()) {
    dst_.channels = 0;
    for (const Layout& layout : src_) {
      const bool whole = dst_.channels % dst_.block == 0 && layout.channels % dst_.block == 0;
      part_offset_.push_back(whole ? dst_.channels * dst_.pixels : -1);
      dst_.channels += layout.channels;
    }
  }
  std::int64_t part_offset(std::size_t index) const override { return part_offset_[index]; }
  void run(const KernelArguments& a) const override {
    std::int64_t first = 0;
    for (std::size_t i = 0; i < src_.size(); first += src_[i++].channels) {
      if (part_offset_[i] >= 0) {
        float* part = a.dst + part_offset_[i];
        if (part != a.src[i]) std::memcpy(part, a.src[i], static_cast<std::size_t>(src_[i].floats()) * sizeof(float));
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
  std::vector<std::int64_t> part_offset_;
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

class PlainMovement final : public Kernel {
 public:
  PlainMovement(graph::Movement movement, float fill) : movement_(std::move(movement)), fill_(fill) {}
  void run(const KernelArguments& a) const override { graph::move(movement_, fill_, a.src[0], a.dst); }

 private:
  graph::Movement movement_;
  float fill_;
};

class Constant final : public Kernel {
 public:
  explicit Constant(const Tensor& values) : values_(values) {}
  void run(const KernelArguments& a) const override { std::copy(values_.values.begin(), values_.values.end(), a.dst); }

 private:
  Tensor values_;
};

}  // namespace

std::unique_ptr<Kernel> compile_constant(const Tensor& values) { return std::make_unique<Constant>(values); }
std::unique_ptr<Kernel> compile_reorder(const Layout& from, const Layout& to) {
  return std::make_unique<Reorder>(from, to);
}

std::unique_ptr<Kernel> compile_movement(graph::Movement movement, float fill) {
  return std::make_unique<PlainMovement>(std::move(movement), fill);
}

std::unique_ptr<Kernel> compile_blocked_movement(const graph::Movement& movement, float fill, const Layout& src,
                                                 const Layout& dst) {
  std::vector<std::int64_t> channels = movement.offsets.at(1);
  for (std::int64_t& c : channels) c = c < 0 ? -1 : c / std::max<std::int64_t>(src.pixels, 1);
  std::vector<std::int64_t> pixels{0};
  for (std::size_t axis = 2; axis < movement.offsets.size(); ++axis) {
    std::vector<std::int64_t> finer;
    finer.reserve(pixels.size() * movement.offsets[axis].size());
    for (const std::int64_t before : pixels)
      for (const std::int64_t at : movement.offsets[axis]) finer.push_back(before < 0 || at < 0 ? -1 : before + at);
    pixels = std::move(finer);
  }
  return std::make_unique<Gather>(src, dst, std::move(channels), std::move(pixels), fill);
}

std::unique_ptr<Kernel> compile_channel_concat(std::vector<Layout> src) {
  return std::make_unique<ChannelConcat>(std::move(src));
}
std::unique_ptr<Kernel> compile_copy(std::int64_t floats) { return std::make_unique<Copy>(floats); }

}  // namespace shiftnorm::exec
