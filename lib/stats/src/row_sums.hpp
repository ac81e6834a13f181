#pragma once

#include <cstddef>

namespace shiftnorm::stats {

/// Rows that can be added up in one go.
inline constexpr std::size_t kMostRows = 64;

/// For each channel what up to kMostRows rows, `stride` doubles apart, add up to: upper + rest, without error where
/// exact[c] is 1. It is 0 where values are too far apart for that, or so small or large that ExactSum would drop
/// something.
void add_up_rows(const double* rows, std::size_t count, std::size_t stride, std::size_t channels, double* upper,
                 double* rest, double* exact);

/// For each channel of each row a^2, q^2 and aq with a = first / divisor and q = second / divisor. The rows of `first`
/// and `second` are `stride` doubles apart, those of the products lie one after the other.
void moment_products(const double* first, const double* second, double divisor, std::size_t rows, std::size_t stride,
                     std::size_t channels, double* first_squared, double* second_squared, double* product);

}  // namespace shiftnorm::stats
