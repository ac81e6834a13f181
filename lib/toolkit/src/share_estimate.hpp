#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/results/mixture.hpp"
#include "shiftnorm/toolkit/reference.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Starts that end further apart do not tell: the answer would be the start's.
inline constexpr double kStartsApart = 0.4;
/// Resamples that lie further off do not tell: other images of the same site would give another answer.
inline constexpr double kSamplingApart = 0.25;
/// Matched predictions that are no surer than the source's do not tell, unless as many are the same.
inline constexpr double kAgreement = 0.85;
/// With more classes, shares of single classes cannot be told from a sample.
inline constexpr std::size_t kMostEstimated = 200;

/// The target's shares of the classes, told from moments and outputs alone, with how far they can be trusted, into
/// `out`. By depth (docs/reference/estimators.md#shares-without-a-label): the first BatchNorms matched under the present
/// shares, the deeper ones on the file's statistics, all images through; then half what the moments say, half what the
/// outputs do. The same bits for any order of the images, threads and memory. `mode`: of policy matched; its layers take
/// part. Errors  ConfigError for more classes than kMostEstimated, or findings than adapt::kMostFindings.
void estimate_shares(const Session& session, const adapt::Mode& mode, const std::vector<std::size_t>& images,
                     std::uint64_t seed, const Progress& progress, results::MixtureFacts& out);

}  // namespace shiftnorm::toolkit
