#pragma once

#include <cstddef>
#include <span>

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

/// For each of `block` channels the sums over pixels of (x - pivot) and of its square, always in the same order.
/// Deviations are taken in float from a centre of the image's own, added in float over 32 pixels and in double beyond,
/// and the sums then moved to the pivot: it may be anywhere without digits being lost in float.
/// Errors  of what follows from the sums, with u = 2^-24: the mean within 33 u of a standard deviation, the variance
///         within 300 u of itself if every rounding went the same way (the centre is within sqrt(8) standard deviations
///         of the mean, or the mean becomes the centre). On noise: 3e-7 of itself for one image of 49 pixels, less as
///         1 / sqrt(all pixels). The pivot costs what it costs in double: 2^-52 (mean - pivot)^2 of the variance.
///         A constant channel deviates by exactly 0. Where squares would overflow or underflow float, double is used
///         throughout; infinite and undefined values give sums that are not finite.
void block_moments(const float* x, const float* pivot, std::size_t pixels, std::size_t block, double* sum,
                   double* square);

/// Sum over pixels of each of `block` channels: in float over 32 pixels, in double beyond; within 11 * 2^-24 of the sum
/// of magnitudes.
void block_sums(const float* x, std::size_t pixels, std::size_t block, double* sum);

/// dst[k][i] = bias[i] + dot(matrix[i], x[k]) for `rows` rows of `columns` floats, the same bits for any number of
/// vectors. bias may be null.
void matrix_vectors(const float* matrix, std::span<const float* const> x, const float* bias, std::size_t rows,
                    std::size_t columns, std::span<float* const> dst);

/// dst[i] = op(x[i]). dst may be x.
void elementwise(Unary op, float a, float b, const float* x, std::size_t n, float* dst);

/// dst[i] = x[i] y[i]. dst may be x or y.
void multiply(const float* x, const float* y, std::size_t n, float* dst);

}  // namespace shiftnorm::exec
