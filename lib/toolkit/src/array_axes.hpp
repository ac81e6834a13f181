#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"

namespace shiftnorm::toolkit {

/// Whether a sample has the extents that are wanted, 0 being any.
[[nodiscard]] bool fit(const std::vector<std::int64_t>& sample, const std::vector<std::int64_t>& wanted);

/// The data set that lies there, or that the cache has under this key. Without a layout in the options it is
/// opened as it lies or, where its samples fit the network as the network itself has them, channels last, in that
/// layout, which the options then hold.
/// Errors  ConfigError where they fit both ways, naming what to give.
[[nodiscard]] std::unique_ptr<imaging::Dataset> open_for(const RestoredModel& model, const std::string& where,
                                                         imaging::DatasetOptions& options, SessionCache& cache,
                                                         const std::string& key);

}  // namespace shiftnorm::toolkit
