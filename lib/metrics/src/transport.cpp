#include "transport.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace shiftnorm::metrics {
namespace {

// A step looks at all pairs of columns and, for each column on its path, at its rows: rows * (columns^3 + rows).
constexpr double kMostWork = 4e9;
constexpr double kFar = std::numeric_limits<double>::infinity();
// Rounding must not make a circle of two moves that undo each other look like a gain.
constexpr double kGain = 1e-13;

/// Rows go to columns one after the other, each by the cheapest chain of moves; all before stay optimal.
class Assignment {
 public:
  Assignment(std::span<const double> costs, const std::vector<std::size_t>& capacities)
      : costs_(costs),
        room_(capacities),
        width_(capacities.size()),
        held_(width_),
        moves_(width_ * width_, Move{kFar, 0}) {}

  void add(std::size_t row) {
    const double* const cost = costs_.data() + row * width_;
    std::vector<double> reach(cost, cost + width_);
    constexpr std::size_t kStart = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> from(width_, kStart);
    for (std::size_t round = 0; round < width_; ++round) {
      bool shorter = false;
      for (std::size_t a = 0; a < width_; ++a)
        for (std::size_t b = 0; b < width_; ++b)
          if (reach[a] + moves_[a * width_ + b].cost < reach[b] - kGain) {
            reach[b] = reach[a] + moves_[a * width_ + b].cost;
            from[b] = a;
            shorter = true;
          }
      if (!shorter) break;
    }
    std::size_t end = kStart;
    for (std::size_t b = 0; b < width_; ++b)
      if (held_[b].size() < room_[b] && (end == kStart || reach[b] < reach[end])) end = b;
    std::vector<std::size_t> path{end};
    while (from[path.back()] != kStart) path.push_back(from[path.back()]);
    for (std::size_t k = 0; k + 1 < path.size(); ++k) {
      const std::size_t to = path[k], of = path[k + 1], moved = moves_[of * width_ + to].row;
      held_[of].erase(std::find(held_[of].begin(), held_[of].end(), moved));
      held_[to].push_back(moved);
    }
    held_[path.back()].push_back(row);
    for (const std::size_t changed : path) find_moves(changed);
  }

  [[nodiscard]] double cost() const {
    double sum = 0;
    for (std::size_t k = 0; k < width_; ++k)
      for (const std::size_t row : held_[k]) sum += costs_[row * width_ + k];
    return sum;
  }

 private:
  struct Move {
    double cost;
    std::size_t row;
  };

  /// The cheapest row to send from `a` to every other column.
  void find_moves(std::size_t a) {
    for (std::size_t b = 0; b < width_; ++b) {
      Move& best = moves_[a * width_ + b] = {kFar, 0};
      if (a == b) continue;
      for (const std::size_t row : held_[a])
        if (const double change = costs_[row * width_ + b] - costs_[row * width_ + a]; change < best.cost)
          best = {change, row};
    }
  }

  std::span<const double> costs_;
  std::vector<std::size_t> room_;
  std::size_t width_;
  std::vector<std::vector<std::size_t>> held_;  ///< rows of each column
  std::vector<Move> moves_;                     ///< from column to column
};

}  // namespace

std::vector<std::size_t> whole_counts(std::span<const double> shares, std::size_t total) {
  std::vector<std::size_t> counts, order(shares.size());
  std::vector<double> rest;
  for (const double share : shares) {
    const double exact = share * static_cast<double>(total);
    counts.push_back(std::min(static_cast<std::size_t>(std::floor(exact)), total));
    rest.push_back(exact - std::floor(exact));
  }
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rest[a] > rest[b]; });
  std::size_t given = std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  for (std::size_t k = 0; given < total; ++k, ++given) ++counts[order[k % order.size()]];
  // Shares that sum to a little more than 1 can give one too many.
  for (std::size_t k = counts.size(); given > total && k-- > 0;)
    while (given > total && counts[order[k]] > 0) --counts[order[k]], --given;
  return counts;
}

std::optional<double> least_transport_cost(std::span<const double> costs, const std::vector<std::size_t>& capacities) {
  const double width = static_cast<double>(capacities.size()), rows = static_cast<double>(costs.size()) / width;
  if (rows * (width * width * width + rows) > kMostWork) return std::nullopt;
  Assignment assignment(costs, capacities);
  for (std::size_t row = 0; row * capacities.size() < costs.size(); ++row) assignment.add(row);
  return assignment.cost();
}

}  // namespace shiftnorm::metrics
