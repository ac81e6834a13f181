#pragma once

#include <optional>

#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::toolkit {

/// Probabilities of the labelled source images under mode `source`, for estimates of accuracy without target labels
/// (ATC, COT, BBSE); `run`: the run's address. `config` has a source. Nothing unless images have labels, all below the
/// number of the network's outputs. Errors  as open_session() about the source data.
[[nodiscard]] std::optional<metrics::Predictions> labelled_source(const config::Config& config, Session& session,
                                                                  const RunOptions& options, const std::string& run,
                                                                  const Progress& progress);

}  // namespace shiftnorm::toolkit
