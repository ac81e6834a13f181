#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shiftnorm/results/results.hpp"

namespace shiftnorm::results {

/// One metric of one mode of one run.
struct ScoreRecord {
  std::string mode, policy, semantics, estimator, metric;
  std::optional<double> value, low, high;
  std::optional<double> difference, difference_low, difference_high;  ///< to `source` on the same images
  std::string test;
  std::optional<double> p;
  std::string reason;  ///< why there is no value, interval or difference
};

/// What a finished run leaves in tables. No paths; the last parts of input paths at most.
struct RunRecord {
  std::string id, name, sweep;  ///< sweep: its name; empty: a single run
  std::string folder;           ///< relative to the folder of the store; empty: elsewhere
  std::string finished;         ///< UTC, ISO 8601
  std::string program_version, instruction_set, protocol, model_sha256, model_file, architecture, preprocess,
      fingerprint;
  std::int64_t seed = 0, images = 0;
  std::optional<std::int64_t> patients;
  std::vector<std::pair<std::string, std::string>> settings;  ///< every key path of the configuration with its value
  std::vector<ScoreRecord> scores;                            ///< labels or not: mean_confidence and mean_entropy too
};

[[nodiscard]] RunRecord record_of(const RunResults& results);

/// The first twelve of the 64 digits of a run's id: enough to tell ten thousand runs apart.
[[nodiscard]] std::string short_id(const std::string& id);

}  // namespace shiftnorm::results
