#pragma once

#include <optional>
#include <span>
#include <vector>

#include "shiftnorm/metrics/label_free.hpp"

/// What Eigen does for this module; no other file sees it (decision 0048).
namespace shiftnorm::metrics {

/// Of the matrix of all usable rows; relative error below 1e-10. Memory: a few thousand rows at a time.
[[nodiscard]] double sum_of_singular_values(const Rows& rows);

/// x with a x = b, a row-major and square; nothing if a pivot is below 1e-9.
[[nodiscard]] std::optional<std::vector<double>> solved(std::span<const double> a, std::span<const double> b);

}  // namespace shiftnorm::metrics
