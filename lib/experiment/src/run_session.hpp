#pragma once

#include <string>
#include <vector>

#include "shiftnorm/experiment/config.hpp"
#include "shiftnorm/experiment/run.hpp"
#include "shiftnorm/experiment/session.hpp"
#include "source_sample.hpp"

namespace shiftnorm::experiment {

/// Columns and attributes that anything asks of the target.
[[nodiscard]] std::vector<std::string> columns_of(const Config& config);

/// What a configuration says of its network and data.
[[nodiscard]] SessionOptions session_options(const Config& config, const RunOptions& options);

/// Of the source's data on a Shelf.
[[nodiscard]] std::string source_key(const Config& config);

}  // namespace shiftnorm::experiment
