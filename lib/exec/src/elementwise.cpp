#include "elementwise.hpp"

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
std::unique_ptr<Kernel> compile_product(const Layout& layout) { return std::make_unique<Product>(layout.floats()); }
std::unique_ptr<Kernel> compile_channel_product(const Layout& layout) {
  return std::make_unique<ChannelProduct>(layout);
}

}  // namespace shiftnorm::exec
