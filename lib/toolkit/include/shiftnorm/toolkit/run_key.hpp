#pragma once

#include <string>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"

namespace shiftnorm::toolkit {

/// The address of a run by its content: SHA-256 over the resolved configuration with the content of its inputs (the
/// checkpoint's bytes, the data's fingerprint, tables) in place of their paths, the program's version, the instruction
/// set and the schema of results. The name is not part of it: the same inputs are the same run under any name.
/// Restores the network and lists the data on the way, so that what is wrong with them is reported before anything is
/// run. Errors  as restore() and imaging::open_dataset, for the whole configuration.
[[nodiscard]] std::string run_key(const config::Config& config, const RunOptions& options);

/// The target's data, as run_key() listed them.
[[nodiscard]] std::unique_ptr<imaging::Dataset> listed_target(const config::Config& config, const RunOptions& options);

/// Where a configured network comes from, and a text with everything its restoring depends on.
[[nodiscard]] NetworkSource network_of(const config::ModelConfig& model);
[[nodiscard]] std::string network_key(const config::ModelConfig& model);

/// Of a run's data with its preprocessing: runs with equal ones can share their samples.
[[nodiscard]] std::string data_key(const config::Config& config);

}  // namespace shiftnorm::toolkit
