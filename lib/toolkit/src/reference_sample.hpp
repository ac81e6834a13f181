#pragma once

#include <string>
#include <vector>

#include "shiftnorm/stats/reference.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// A sample that a reference is measured on.
struct ReferenceSample {
  const imaging::Dataset& dataset;
  const imaging::SampleStore& store;
  bool by_outputs = false;  ///< labels do not count
};

/// The sums of a sample under the engine's source statistics, without its facts. Images without a label, or findings
/// that are not known, count by the network's probabilities. `left_out`: images whose activations are not finite.
/// Errors  ConfigError for outputs that are not class scores.
[[nodiscard]] stats::Reference measure_reference(const Session& session, const ReferenceSample& sample,
                                                 std::vector<adapt::LeftOut>& left_out, const Progress& progress);

/// Loads what the options name into the session. The session has its model.
/// Errors  ConfigError where it was made from another network or weights.
void load_session_reference(const SessionOptions& options, Session& session);
/// What is left of checking once preprocessing, engine and data are there; or makes one from the source sample, if a
/// mode needs one and none is named.
void settle_session_reference(const SessionOptions& options, Session& session, const Progress& progress);

}  // namespace shiftnorm::toolkit
