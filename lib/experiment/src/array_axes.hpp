#pragma once

#include <string>

#include "shiftnorm/experiment/model.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::experiment {

/// The layout that a data set opened without one is to be opened with: where its samples fit the network as the network
/// itself has them, channels last, that layout. Empty: as they lie.
/// Errors  ConfigError where they fit both ways, naming what to give.
[[nodiscard]] std::string layout_for(const RestoredModel& model, const imaging::Dataset& dataset,
                                     const std::string& where);

}  // namespace shiftnorm::experiment
