#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/experiment/session.hpp"
#include "shiftnorm/stats/statistics.hpp"

namespace shiftnorm::experiment {

/// An adapted checkpoint ready to be written: the same container, dtype and order; only BatchNorm vectors differ.
struct Exported {
  std::vector<std::byte> bytes;
  std::vector<formats::OutputFile> companions;  ///< to be written beside it, under their own names
  std::string provenance;                       ///< JSON, for provenance_path(); no path, no name
};

/// `<file>.provenance.json`.
[[nodiscard]] std::filesystem::path provenance_path(const std::filesystem::path& file);

/// What makes the provenance beside hashes and counts.
struct ExportFacts {
  std::string file_name;  ///< of the adapted checkpoint, without folders: names of companions derive from it
  adapt::Mode mode;
  std::int64_t images = 0;  ///< that the statistics were measured on
  std::string instruction_set, program_version;
  std::string domain{};  ///< its name, if the images are those of one domain
};

/// The data that statistics were measured on, and how they entered the network.
struct DataFacts {
  std::string preprocess, preprocess_yaml, preprocess_sha256;  ///< as in Session
  std::string fingerprint;
  std::optional<std::int64_t> bad;  ///< files left out; absent: a statistics file does not tell
};

/// Of a session's whole data set.
[[nodiscard]] DataFacts data_facts(const Session& session);

/// Errors  ConfigError for policies that no file can hold (`batch`, `instance`), with the reason; FormatError if a
///         statistic is not finite or the file lacks a vector that must change; as formats::patched.
[[nodiscard]] Exported export_checkpoint(const RestoredModel& model, const stats::Statistics& statistics,
                                         const ExportFacts& facts, const DataFacts& data);
[[nodiscard]] Exported export_checkpoint(const Session& session, const stats::Statistics& statistics,
                                         const ExportFacts& facts);

/// ConfigError with the reason unless a file can hold what the mode's policy uses.
void check_exportable(const adapt::Mode& mode);

}  // namespace shiftnorm::experiment
