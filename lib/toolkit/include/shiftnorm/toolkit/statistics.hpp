#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/stats/distance.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// What a mode measured, with everything that the file keeps beside it. `measured`: adapt::ModeResult's.
[[nodiscard]] stats::StatisticsFile statistics_file(const RestoredModel& model, const stats::Statistics& measured,
                                                    const ExportFacts& facts, const DataFacts& data);

/// Errors  ConfigError, naming --stats-out, for a mode of which a file of what was measured would be taken for another
///         policy's: adapt::measured_alone().
void require_measured_alone(const adapt::Mode& mode);

/// What every file of statistics says of itself; `images`: that were measured.
void fill_facts(const RestoredModel& model, std::int64_t images, const ExportFacts& facts, const DataFacts& data,
                stats::MeasuredFacts& to);

/// Errors  FormatError with the file's name: missing, damaged, of an estimate that was interrupted.
[[nodiscard]] stats::StatisticsFile read_statistics_file(const std::filesystem::path& path);

/// What an interrupted estimate leaves behind, and what it continues from. It belongs to one job: the same network,
/// images, preprocessing, method and instruction set.
[[nodiscard]] std::vector<std::byte> write_interrupted(const Session& session, const stats::Statistics& reached,
                                                       const adapt::Mode& mode);
/// The statistics reached. Errors  ConfigError if the file is of another job; FormatError as above.
[[nodiscard]] stats::Statistics read_interrupted(const std::filesystem::path& path, const Session& session,
                                                 const adapt::Mode& mode);

/// The mode that a file's statistics were measured by, with the policy part of `mode`.
[[nodiscard]] adapt::Mode measured_mode(const stats::StatisticsFile& file, adapt::Mode mode);

/// What a mode's policy makes of a network's own statistics and a file's.
/// Errors  ConfigError if the file was measured on another network, or if the policy needs no measured statistics.
[[nodiscard]] stats::Statistics applied(const RestoredModel& model, const stats::StatisticsFile& file,
                                        const adapt::Mode& mode);

/// For export_checkpoint(): what a file says about its data.
[[nodiscard]] DataFacts data_facts(const stats::StatisticsFile& file);

/// One statistics file out of those of several sites, which measured different images in the same way.
struct MergedStatistics {
  stats::StatisticsFile file;
  std::vector<std::string> notes;  ///< what the user should know, one line each
};
/// Errors  as read_statistics_file() and stats::merged().
[[nodiscard]] MergedStatistics merge_statistics(std::span<const std::filesystem::path> parts);

/// How far two statistics files lie from each other, per layer.
struct ComparedStatistics {
  std::vector<stats::LayerDistance> layers;
  std::vector<std::string> notes;
};
/// Errors  as read_statistics_file() and stats::distances(), with the second file's name.
[[nodiscard]] ComparedStatistics compare_statistics(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace shiftnorm::toolkit
