#pragma once

#include <cstddef>

namespace shiftnorm::exec {

/// One channel block [pixels, block] or, with block = 1, one channel [pixels].
struct AffineTerm {
  const float* x = nullptr;
  const float* scale = nullptr;  ///< block values; null: the term is x itself
  const float* shift = nullptr;
};

/// dst = act(first + second), first and second as AffineTerm says (second.x null: absent), act = max(0, .) if relu.
/// dst may be first.x or second.x. block is 1, 8 or 16.
void affine_sum(const AffineTerm& first, const AffineTerm& second, bool relu, std::size_t pixels, std::size_t block,
                float* dst);

/// Functions of one element, with up to two constants a and b.
enum class Unary {
  clip,          ///< min(max(x, a), b)
  elu,           ///< b x, or b a (exp(x) - 1) where x is negative
  exp,           ///< exp(x)
  hard_sigmoid,  ///< min(max(a x + b, 0), 1)
  hard_swish,    ///< x min(max(x / 6 + 1 / 2, 0), 1)
  leaky_relu,    ///< x, or a x where x is negative
  mish,          ///< x tanh(log(1 + exp(x)))
  sigmoid,       ///< 1 / (1 + exp(-x))
  swish,         ///< x / (1 + exp(-x))
  tanh,          ///< tanh(x)
};

/// A function of one element with its constants.
struct Activation {
  Unary op;
  float a = 0, b = 0;
};

/// The same with act = op(., a, b).
void affine_sum(const AffineTerm& first, const AffineTerm& second, Unary op, float a, float b, std::size_t pixels,
                std::size_t block, float* dst);

/// dst[i] = op(x[i]). dst may be x.
void elementwise(Unary op, float a, float b, const float* x, std::size_t n, float* dst);

/// dst[i] = x[i] y[i]. dst may be x or y.
void multiply(const float* x, const float* y, std::size_t n, float* dst);

}  // namespace shiftnorm::exec
