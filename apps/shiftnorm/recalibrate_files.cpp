#include "recalibrate_files.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {

namespace fs = std::filesystem;

std::optional<fs::path> statistics_path(const Options& options, const toolkit::RecalibrateOptions& job) {
  if (!options.has("stats-out")) return std::nullopt;
  const fs::path path = options.text("stats-out");
  if (!adapt::measures(job.mode.policy))
    throw ConfigError(
        fmt::format("--stats-out: policy {} measures nothing; expected one that does, such as adabn", job.mode.name));
  toolkit::require_measured_alone(job.mode);
  if (job.out.empty()) return path;
  for (const fs::path& other : {job.out, toolkit::provenance_path(job.out)})
    if (fs::weakly_canonical(path) == fs::weakly_canonical(other))
      throw ConfigError(
          fmt::format("--stats-out = {}: is also the name of --out; expected another name", path.string()));
  return path;
}

OutputFiles recalibrate_files(const Options& options, const fs::path& out, const std::optional<fs::path>& statistics) {
  OutputFiles files;
  expect_identities(options, files);
  if (!out.empty()) files.expect("--out", out);
  if (statistics) files.expect("--stats-out", *statistics);
  if (options.has("quarantine")) files.expect("--quarantine", options.text("quarantine"));
  return files;
}

}  // namespace shiftnorm::app
