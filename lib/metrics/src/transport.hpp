#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace shiftnorm::metrics {

/// Whole numbers that sum to `total` in proportion to shares, by largest remainder, the first on ties.
[[nodiscard]] std::vector<std::size_t> whole_counts(std::span<const double> shares, std::size_t total);

/// The least sum of costs[i, capacities(i)] over all ways to give each row one column, each column as often as its
/// capacity says; capacities sum to the rows. Nothing if it would take longer than some seconds.
/// Source  successive shortest paths: Ahuja, Magnanti, Orlin, Network Flows, 1993, 9.7.
[[nodiscard]] std::optional<double> least_transport_cost(std::span<const double> costs,
                                                         const std::vector<std::size_t>& capacities);

}  // namespace shiftnorm::metrics
