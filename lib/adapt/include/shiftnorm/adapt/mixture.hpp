#pragma once

#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/stats/reference.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::adapt {

/// The reference's mean and variance in every BatchNorm on images of the target's mixture.
struct MixturePart {
  stats::Statistics moments;
  /// Per layer and channel, adding up to 1 over the parts; empty: there is one part.
  std::vector<std::vector<double>> weights;
};

/// The target's mixture of classes, and what the reference has under it (docs/reference/estimators.md#matched). One
/// part; with several findings one for each, weighted by how far its two class means lie apart.
struct Mixture {
  std::string key;        ///< of everything it was made from: two of one key are equal
  std::string reference;  ///< hash of the reference
  bool findings = false;
  std::vector<double> shares;  ///< of each class, or where each finding is present
  std::vector<double> reference_shares;
  std::vector<MixturePart> parts;
};

/// Most findings that are matched together.
inline constexpr std::size_t kMostFindings = 20;

/// `hash`: of the reference's file. Shares of classes add up to 1; a finding whose share is NaN takes no part.
/// Errors  ConfigError for a class with a share of which the reference has no image, and for more than kMostFindings.
[[nodiscard]] Mixture mixture_of(const stats::Reference& reference, const std::string& hash,
                                 std::vector<double> shares);

/// Turns what was measured of a layer on the target into what the network uses: r = sqrt((v_t + e) / (v_r + e)),
/// mean = m_t + r (mean_s - m_r), variance = r^2 v_s. A channel that is dead in the reference (v_r below 1e-8 of the
/// layer's median) keeps what was measured.
void match(const Mixture& mixture, std::size_t layer, double epsilon, const stats::LayerStatistics& source,
           stats::LayerStatistics& target);

/// What a network whose output is one choice among classes gives under the mixture: log(share / reference's share) to
/// be added to its logits; of findings, the same of their odds (docs/reference/estimators.md#prior-correction).
[[nodiscard]] std::vector<double> prior_logits(const Mixture& mixture);

}  // namespace shiftnorm::adapt
