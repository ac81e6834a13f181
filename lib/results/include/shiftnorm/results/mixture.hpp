#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/metrics/intervals.hpp"

namespace shiftnorm::results {

/// The mixture of classes that policy `matched` took the target to have, and how it was found.
struct MixtureFacts {
  std::string from;  ///< "given", "labels" or "estimate"
  bool findings = false;
  std::vector<std::string> classes;
  std::vector<double> shares, reference_shares;  ///< one for each class; NaN: a finding that takes no part
  std::int64_t reference_images = 0;
  bool reference_labelled = false;
  bool tells = true;   ///< false: the estimate cannot be relied on, `reason` says why
  std::string reason;  ///< empty: it stands
  // Of an estimate:
  std::vector<metrics::Interval> intervals;       ///< of each share, from resampled images
  std::optional<double> starts_apart;             ///< total variation to where the source's own predictions lead
  std::optional<double> sampling;                 ///< 95 % of the resamples lie within this total variation
  std::optional<double> entropy, source_entropy;  ///< means of matched predictions and the source's, nats
  std::optional<double> agreement;                ///< share of the images on which both agree
};

}  // namespace shiftnorm::results
