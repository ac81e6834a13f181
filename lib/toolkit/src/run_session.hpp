#pragma once

#include <string>
#include <vector>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session.hpp"
#include "source_sample.hpp"

namespace shiftnorm::toolkit {

/// Columns and attributes that anything asks of the target.
[[nodiscard]] std::vector<std::string> columns_of(const config::Config& config);

/// What a configuration says of its network and data.
[[nodiscard]] SessionOptions session_options(const config::Config& config, const RunOptions& options);

/// Of the source's data on a SessionCache.
[[nodiscard]] std::string source_key(const config::Config& config);

}  // namespace shiftnorm::toolkit
