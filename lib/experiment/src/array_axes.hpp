#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shiftnorm/experiment/model.hpp"
#include "shiftnorm/experiment/shelf.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::experiment {

/// Whether a sample has the extents that are wanted, 0 being any.
[[nodiscard]] bool fit(const std::vector<std::int64_t>& sample, const std::vector<std::int64_t>& wanted);

/// The data set that lies there, of the shelf under this key if there is one. Without a layout in the options it is
/// opened as it lies or, where its samples fit the network as the network itself has them, channels last, in that
/// layout, which the options then hold.
/// Errors  ConfigError where they fit both ways, naming what to give.
[[nodiscard]] std::unique_ptr<imaging::Dataset> open_for(const RestoredModel& model, const std::string& where,
                                                         imaging::DatasetOptions& options, Shelf* shelf,
                                                         const std::string& key);

}  // namespace shiftnorm::experiment
