#include "elementwise.hpp"

#include <algorithm>

namespace shiftnorm::exec {
namespace {

class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(Unary op, float a, float b, std::int64_t floats)
      : op_(op), a_(a), b_(b), floats_(static_cast<std::size_t>(floats)) {}
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override { elementwise(op_, a_, b_, a.src[0], floats_, a.dst); }

 private:
  Unary op_;
  float a_, b_;
  std::size_t floats_;
};

/// A function without a vector form.
class FunctionKernel final : public Kernel {
 public:
  FunctionKernel(double (*f)(double, double, double), double a, double b, const Layout& layout)
      : f_(f), a_(a), b_(b), layout_(layout) {}
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override {
    const std::int64_t floats = layout_.floats();
    for (std::int64_t i = 0; i < floats; ++i)
      a.dst[i] = static_cast<float>(f_(static_cast<double>(a.src[0][i]), a_, b_));
    // Padding channels must stay finite, and a logarithm or reciprocal of their zeros is not.
    for (std::int64_t c = layout_.channels; c < layout_.padded_channels(); ++c)
      for (std::int64_t p = 0; p < layout_.pixels; ++p) a.dst[layout_.at(c, p)] = 0.0f;
  }

 private:
  double (*f_)(double, double, double);
  double a_, b_;
  Layout layout_;
};

class ChannelAffine final : public Kernel {
 public:
  ChannelAffine(std::span<const float> scale, std::span<const float> shift, const Layout& layout)
      : scale_(static_cast<std::size_t>(layout.padded_channels()), 0.0f), shift_(scale_), layout_(layout) {
    std::copy(scale.begin(), scale.end(), scale_.begin());
    std::copy(shift.begin(), shift.end(), shift_.begin());
  }
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override {
    for (std::int64_t b = 0; b < layout_.blocks(); ++b) {
      const std::int64_t at = b * layout_.pixels * layout_.block, c = b * layout_.block;
      affine_sum({a.src[0] + at, scale_.data() + c, shift_.data() + c}, {}, false,
                 static_cast<std::size_t>(layout_.pixels), static_cast<std::size_t>(layout_.block), a.dst + at);
    }
  }

 private:
  AlignedVector<float> scale_, shift_;
  Layout layout_;
};

class ChannelPrelu final : public Kernel {
 public:
  ChannelPrelu(std::span<const float> slope, const Layout& layout)
      : slope_(static_cast<std::size_t>(layout.padded_channels()), 0.0f), layout_(layout) {
    std::copy(slope.begin(), slope.end(), slope_.begin());
  }
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override {
    for (std::int64_t b = 0; b < layout_.blocks(); ++b) {
      const float* slope = slope_.data() + b * layout_.block;
      for (std::int64_t p = b * layout_.pixels; p < (b + 1) * layout_.pixels; ++p) {
        for (std::int64_t i = 0; i < layout_.block; ++i) {
          const float x = a.src[0][p * layout_.block + i];
          a.dst[p * layout_.block + i] = x < 0 ? x * slope[i] : x;
        }
      }
    }
  }

 private:
  AlignedVector<float> slope_;
  Layout layout_;
};

class Product final : public Kernel {
 public:
  explicit Product(std::int64_t floats) : floats_(static_cast<std::size_t>(floats)) {}
  bool in_place(std::size_t) const override { return true; }
  void run(const KernelArguments& a) const override { multiply(a.src[0], a.src[1], floats_, a.dst); }

 private:
  std::size_t floats_;
};

class ChannelProduct final : public Kernel {
 public:
  explicit ChannelProduct(const Layout& layout) : layout_(layout) {}
  bool in_place(std::size_t index) const override { return index == 0; }
  void run(const KernelArguments& a) const override {
    static constexpr float kNoShift[16] = {};
    for (std::int64_t b = 0; b < layout_.blocks(); ++b) {
      const std::int64_t at = b * layout_.pixels * layout_.block;
      affine_sum({a.src[0] + at, a.src[1] + b * layout_.block, kNoShift}, {}, false,
                 static_cast<std::size_t>(layout_.pixels), static_cast<std::size_t>(layout_.block), a.dst + at);
    }
  }

 private:
  Layout layout_;
};

}  // namespace

std::unique_ptr<Kernel> compile_unary(Unary op, float a, float b, const Layout& layout) {
  return std::make_unique<UnaryKernel>(op, a, b, layout.floats());
}
std::unique_ptr<Kernel> compile_unary(double (*f)(double, double, double), double a, double b, const Layout& layout) {
  return std::make_unique<FunctionKernel>(f, a, b, layout);
}
std::unique_ptr<Kernel> compile_channel_affine(std::span<const float> scale, std::span<const float> shift,
                                               const Layout& layout) {
  return std::make_unique<ChannelAffine>(scale, shift, layout);
}
std::unique_ptr<Kernel> compile_channel_prelu(std::span<const float> slope, const Layout& layout) {
  return std::make_unique<ChannelPrelu>(slope, layout);
}
std::unique_ptr<Kernel> compile_product(const Layout& layout) { return std::make_unique<Product>(layout.floats()); }
std::unique_ptr<Kernel> compile_channel_product(const Layout& layout) {
  return std::make_unique<ChannelProduct>(layout);
}

}  // namespace shiftnorm::exec
