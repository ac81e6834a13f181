#pragma once

#include <memory>
#include <span>

#include "kernel.hpp"
#include "layout.hpp"
#include "vector_elementwise.hpp"

namespace shiftnorm::exec {

/// dst[i] = op(src[i]) in any layout, in place where possible.
[[nodiscard]] std::unique_ptr<Kernel> compile_unary(Unary op, float a, float b, const Layout& layout);
/// dst[i] = f(src[i], a, b) in any layout, in place where possible.
[[nodiscard]] std::unique_ptr<Kernel> compile_unary(double (*f)(double, double, double), double a, double b,
                                                    const Layout& layout);
/// dst = scale * src + shift for each channel of the layout.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_affine(std::span<const float> scale, std::span<const float> shift,
                                                             const Layout& layout);
/// dst = src, or slope * src where that is negative, for each channel of the layout.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_prelu(std::span<const float> slope, const Layout& layout);
/// dst = first * second, both of this layout.
[[nodiscard]] std::unique_ptr<Kernel> compile_product(const Layout& layout);
/// dst = first * second, where second has one pixel: a factor for each channel.
[[nodiscard]] std::unique_ptr<Kernel> compile_channel_product(const Layout& layout);

}  // namespace shiftnorm::exec
