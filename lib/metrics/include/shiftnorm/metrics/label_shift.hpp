#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shiftnorm/metrics/label_free.hpp"

/// The target's mixture of classes, told without a label (docs/reference/estimators.md#shares-without-a-label).
namespace shiftnorm::metrics {

/// Maximum likelihood under label shift: shares <- mean over the images of p_k shares_k / source_k, normalised, from the
/// mean of the rows. What a source share below 1e-3 would blow up counts as 1e-3. `counts`: how often each row counts;
/// empty: once. The same bits for any order of the rows. All 0 if no row is usable.
/// Source  Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori probabilities, Neural
///         Computation 2002.
[[nodiscard]] std::vector<double> em_shares(const Rows& rows, std::span<const double> source_shares, int steps = 100,
                                            std::span<const std::uint32_t> counts = {});

/// First and second raw moments of one layer's channels.
struct LayerMoments {
  std::vector<double> mean, square;
};

/// Linear equations for shares x of K classes: for every channel of every layer, the target's moments are those of the
/// mixture, sum_k x_k m_k = m and sum_k x_k s_k = s, in units of the reference's deviation and of the classes' mean
/// square (at half weight); each layer with weight 1 / sqrt(channels), the sum of the shares 1.
class MomentEquations {
 public:
  explicit MomentEquations(std::size_t classes) : classes_(classes) {}

  /// of_class: one per class. reference_shares: whose mixture the deviation is of.
  void add_layer(std::span<const LayerMoments> of_class, std::span<const double> reference_shares);
  [[nodiscard]] std::size_t layers() const noexcept { return layers_.size(); }

  /// Adds what the target shows in a layer to the right side, `right`: one per class. Linear in the moments, so that
  /// the right side of several images is the mean of theirs.
  void add_target(std::size_t layer, const LayerMoments& target, std::span<double> right) const;
  /// The shares of least squares that are not negative, scaled to sum 1.
  [[nodiscard]] std::vector<double> solved(std::span<const double> right) const;

 private:
  struct Layer {
    std::vector<double> rows;                    ///< [classes][2 channels]
    std::vector<double> mean_unit, square_unit;  ///< by which the target's moments are multiplied
  };
  std::size_t classes_;
  std::vector<Layer> layers_;
  std::vector<double> normal_;  ///< [classes, classes]
};

/// Minimises x^T G x - 2 h^T x over x >= 0, G [n, n] symmetric and positive semidefinite: Lawson and Hanson, Solving
/// Least Squares Problems, 1974, ch. 23, on the normal equations.
[[nodiscard]] std::vector<double> nonnegative_least_squares(std::span<const double> normal,
                                                            std::span<const double> right);

}  // namespace shiftnorm::metrics
