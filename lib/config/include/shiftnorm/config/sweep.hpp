#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/config/config.hpp"

namespace shiftnorm::config {

/// One cell of a sweep.
struct SweepRun {
  Config config;
  std::vector<std::string> values;  ///< one line each, in the order of Sweep::keys; paths cut to their last part
  std::string readable;             ///< the values as part of a folder's name; empty without a sweep
};

/// The runs that a YAML asks for: the product of the lists under `sweep:`, the last key changing fastest.
struct Sweep {
  std::string name;
  std::vector<std::string> keys;  ///< key paths such as data.target.shift; empty: there is no sweep, and one run
  std::vector<SweepRun> runs;
};

inline constexpr std::size_t kMostRuns = 10'000;

/// Every run is checked as parse_config() checks one: a sweep with one impossible cell is refused whole.
/// Errors  as parse_config(), FormatError if the file is missing; ConfigError also for a list that is empty or repeats
/// a value, a key inside another one,
///         a key that makes no run of its own (name), and for more than kMostRuns runs.
[[nodiscard]] Sweep read_sweep(const std::filesystem::path& path, const ConfigOptions& options);
[[nodiscard]] Sweep parse_sweep(std::string_view text, const std::string& file_name, const ConfigOptions& options);

}  // namespace shiftnorm::config
