#pragma once

#include <array>
#include <memory>
#include <optional>

#include "kernel.hpp"
#include "layout.hpp"
#include "vector_elementwise.hpp"

namespace shiftnorm::exec {

/// One or two terms added, each either a value or a BatchNorm of a value, then an activation if asked for: what a
/// normalisation, its activation and a residual join come down to in one pass over memory.
struct NormaliseTerms {
  std::array<SetIndex, 2> set;  ///< BatchNorm set of each term, or none
  int terms = 1;
  bool relu = false;
  std::optional<Activation> activation;  ///< any other than ReLU; not with `relu`

  [[nodiscard]] bool activated() const { return relu || activation; }
};

/// What the convolution that writes term `t` can do of this itself, the other term being its residual.
[[nodiscard]] Epilogue epilogue_of(const NormaliseTerms& terms, std::size_t t);

/// All terms and the result have this layout.
[[nodiscard]] std::unique_ptr<Kernel> compile_normalise(const NormaliseTerms& terms, const Layout& layout);

/// dst = act(scale x + shift) for `pixels` pixels of channel block b.
void normalise_block(const Prologue& prologue, const Affine& affine, std::int64_t b, std::int64_t block, const float* x,
                     std::int64_t pixels, float* dst);

}  // namespace shiftnorm::exec
