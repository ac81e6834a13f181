#pragma once

#include <filesystem>
#include <optional>

#include "options.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/recalibrate.hpp"

namespace shiftnorm::app {

/// The statistics file that --stats-out asks for; the two outputs must not be one file. Errors  ConfigError.
[[nodiscard]] std::optional<std::filesystem::path> statistics_path(const Options& options,
                                                                   const toolkit::RecalibrateOptions& job);

/// What `recalibrate` will write, each checked before the work. `out`: the adapted file, or the index of several.
[[nodiscard]] toolkit::OutputFiles recalibrate_files(const Options& options, const std::filesystem::path& out,
                                                     const std::optional<std::filesystem::path>& statistics);

}  // namespace shiftnorm::app
