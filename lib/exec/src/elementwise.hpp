#pragma once

#include <memory>

#include "kernel.hpp"
#include "layout.hpp"
#include "vector_kernels.hpp"

namespace shiftnorm::exec {

/// dst[i] = op(src[i]) in any layout, in place where possible.
[[nodiscard]] std::unique_ptr<Kernel> compile_unary(Unary op, float a, float b, const Layout& layout);
/// dst = first * second, both of this layout.
[[nodiscard]] std::unique_ptr<Kernel> compile_product(const Layout& layout);
/// dst = first * second, where second has one pixel: a factor for each channel.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_product(const Layout& layout);

}  // namespace shiftnorm::exec
