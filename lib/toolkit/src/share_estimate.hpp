#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/metrics/intervals.hpp"
#include "shiftnorm/toolkit/reference.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// The target's shares of the classes, told from moments and outputs alone, and how far they can be trusted.
struct ShareEstimate {
  std::vector<double> shares;                ///< of each class, or of each finding where it is present
  std::vector<metrics::Interval> intervals;  ///< of each, 95 % of the resamples
  double starts_apart = 0;                   ///< total variation to where the source's own predictions lead
  double sampling = 0;                       ///< 95 % of the resamples lie within this total variation of `shares`
  double entropy = 0, source_entropy = 0;    ///< mean, of matched predictions and the source's, nats
  double agreement = 0;                      ///< share of the images on which both agree
  bool tells = false;
  std::string reason;  ///< why it does not; empty: it does
};

/// Starts that end further apart do not tell: the answer would be the start's.
inline constexpr double kStartsApart = 0.4;
/// Resamples that lie further off do not tell: other images of the same site would give another answer.
inline constexpr double kSamplingApart = 0.25;
/// Matched predictions that are no surer than the source's do not tell, unless as many are the same.
inline constexpr double kAgreement = 0.85;
/// With more classes, shares of single classes cannot be told from a sample.
inline constexpr std::size_t kMostEstimated = 200;

/// By depth (docs/reference/estimators.md#shares-without-a-label): the first BatchNorms matched under the present shares, the deeper
/// ones on the file's statistics, all images through; then half what the moments say, half what the outputs do.
/// The same bits for any order of the images, threads and memory. `mode`: of policy matched; its layers take part.
[[nodiscard]] ShareEstimate estimate_shares(const Session& session, const adapt::Mode& mode,
                                            const std::vector<std::size_t>& images, std::uint64_t seed,
                                            const Progress& progress);

}  // namespace shiftnorm::toolkit
