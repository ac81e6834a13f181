#include "normalise.hpp"

#include "vector_kernels.hpp"

namespace shiftnorm::exec {
namespace {

class Normalise final : public Kernel {
 public:
  Normalise(const NormaliseTerms& terms, const Layout& layout) : terms_(terms), layout_(layout) {}

  bool in_place(std::size_t) const override { return true; }

  void run(const KernelArguments& a) const override {
    for (std::int64_t b = 0; b < layout_.blocks(); ++b) {
      const std::int64_t at = b * layout_.pixels * layout_.block;
      std::array<AffineTerm, 2> term;
      for (std::size_t t = 0; t < static_cast<std::size_t>(terms_.terms); ++t) {
        term[t].x = a.src[t] + at;
        if (terms_.set[t] < 0) continue;
        const Affine& affine = a.affines[static_cast<std::size_t>(terms_.set[t])];
        term[t].scale = affine.scale.data() + b * layout_.block;
        term[t].shift = affine.shift.data() + b * layout_.block;
      }
      affine_sum(term[0], term[1], terms_.relu, static_cast<std::size_t>(layout_.pixels),
                 static_cast<std::size_t>(layout_.block), a.dst + at);
    }
  }

 private:
  NormaliseTerms terms_;
  Layout layout_;
};

}  // namespace

std::unique_ptr<Kernel> compile_normalise(const NormaliseTerms& terms, const Layout& layout) {
  return std::make_unique<Normalise>(terms, layout);
}

}  // namespace shiftnorm::exec
