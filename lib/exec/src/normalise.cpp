#include "normalise.hpp"

#include <algorithm>

namespace shiftnorm::exec {
namespace {

/// Floats that stay in the nearest cache between the sum and its activation.
constexpr std::int64_t kNear = 4096;

void sum_up(const std::array<AffineTerm, 2>& terms, bool relu, const std::optional<Activation>& act,
            std::int64_t pixels, std::int64_t block, float* dst) {
  const auto count = static_cast<std::size_t>(pixels), width = static_cast<std::size_t>(block);
  if (act)
    affine_sum(terms[0], terms[1], act->op, act->a, act->b, count, width, dst);
  else
    affine_sum(terms[0], terms[1], relu, count, width, dst);
}

class Normalise final : public Kernel {
 public:
  Normalise(const NormaliseTerms& terms, const Layout& layout) : terms_(terms), layout_(layout) {}

  bool in_place(std::size_t) const override { return true; }

  void run(const KernelArguments& a) const override {
    const std::int64_t piece = terms_.activation ? std::max<std::int64_t>(1, kNear / layout_.block) : layout_.pixels;
    for (std::int64_t b = 0; b < layout_.blocks(); ++b)
      for (std::int64_t first = 0; first < layout_.pixels; first += piece)
        run_pixels(a, b, first, std::min(piece, layout_.pixels - first));
  }

 private:
  void run_pixels(const KernelArguments& a, std::int64_t b, std::int64_t first, std::int64_t pixels) const {
    const std::int64_t at = (b * layout_.pixels + first) * layout_.block;
    std::array<AffineTerm, 2> term;
    for (std::size_t t = 0; t < static_cast<std::size_t>(terms_.terms); ++t) {
      term[t].x = a.src[t] + at;
      if (!terms_.set[t].exists()) continue;
      const Affine& affine = a.affines[terms_.set[t].number()];
      term[t].scale = affine.scale.data() + b * layout_.block;
      term[t].shift = affine.shift.data() + b * layout_.block;
    }
    sum_up(term, terms_.relu, terms_.activation, pixels, layout_.block, a.dst + at);
  }

  NormaliseTerms terms_;
  Layout layout_;
};

}  // namespace

Epilogue epilogue_of(const NormaliseTerms& terms, std::size_t t) {
  Epilogue e{terms.set[t], terms.terms > 1, {}, {}, terms.activation};
  if (terms.relu) e.low = 0.0f;
  if (terms.activation && terms.activation->op == Unary::clip) {
    e.low = terms.activation->a;
    e.high = terms.activation->b;
    e.activation.reset();
  }
  return e;
}

void normalise_block(const Prologue& prologue, const Affine& affine, std::int64_t b, std::int64_t block, const float* x,
                     std::int64_t pixels, float* dst) {
  const AffineTerm term{x, affine.scale.data() + b * block, affine.shift.data() + b * block};
  sum_up({term, {}}, prologue.relu, prologue.activation, pixels, block, dst);
}

std::unique_ptr<Kernel> compile_normalise(const NormaliseTerms& terms, const Layout& layout) {
  return std::make_unique<Normalise>(terms, layout);
}

}  // namespace shiftnorm::exec
