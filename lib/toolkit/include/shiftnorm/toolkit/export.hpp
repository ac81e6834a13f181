#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/stats/statistics.hpp"
#include "shiftnorm/toolkit/libraries.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// An adapted checkpoint ready to be written: the same container, dtype and order, and only BatchNorm vectors differ;
/// or, where the file's name asks for ONNX or safetensors and the original is something else, converted.
struct Exported {
  std::vector<std::byte> bytes;
  std::vector<formats::OutputFile> companions;  ///< to be written beside it, under their own names
  std::string provenance;                       ///< JSON, for provenance_path(); no path, no name
  std::string converted;  ///< "from pytorch-zip to ONNX", for people; empty: the container is the original's
};

/// `<file>.provenance.json`.
[[nodiscard]] std::filesystem::path provenance_path(const std::filesystem::path& file);

/// What makes the provenance beside hashes and counts.
struct ExportFacts {
  std::string file_name;  ///< of the adapted checkpoint, without folders: names of companions derive from it
  adapt::Mode mode;
  std::int64_t images = 0;  ///< that the statistics were measured on
  std::string instruction_set = exec::instruction_set(), program_version = std::string(version());
  /// Of the program that measured; a statistics file of an earlier version may lack them.
  std::vector<Library> libraries = computing_libraries();
  std::string measured_version;  ///< of that program; empty: program_version
  bool fold = false;             ///< ONNX only: take BatchNorms into the layers before them
  bool to_inference = false;     ///< ONNX: set layers in training mode to inference mode, which else are refused
  std::string domain{};          ///< its name, if the images are those of one domain
  bool small_cohort = false;     ///< fewer than kSmallestCohort patients will do
};

/// The data that statistics were measured on, and how they entered the network.
struct DataFacts {
  std::string preprocess, preprocess_yaml, preprocess_sha256;  ///< as in Session
  std::string fingerprint;
  std::string source_fingerprint;  ///< of a source sample, see Session
  std::int64_t source_images = 0;
  std::optional<std::int64_t> bad;       ///< files left out; absent: not in a statistics file
  std::string drawn;                     ///< how the images were chosen of more; empty: all there were
  std::string shift;                     ///< synthetic changes of the images; empty: none
  std::optional<std::int64_t> patients;  ///< whose images were measured; absent: not identified
};

/// Of a session's whole data set, without images that were left out while measuring.
[[nodiscard]] DataFacts data_facts(const Session& session, std::span<const adapt::LeftOut> left_out);
/// Of some of its images; left_out: by their place among these.
[[nodiscard]] DataFacts data_facts(const Session& session, std::span<const std::size_t> images,
                                   std::span<const adapt::LeftOut> left_out);

/// The extensions .onnx and .safetensors of the file's name convert, any other keeps the container. A file that is
/// made here, not patched, holds the provenance too: `shiftnorm` in ONNX's metadata_props, safetensors' __metadata__.
/// Errors  ConfigError for policies that no file can hold (`batch`, `instance`), with the reason, and for folding into
///         something else than ONNX, and for a network in training mode that is to stay so; FormatError if a statistic
///         is not finite or the file lacks a vector that must change; as check_cohort(); UnsupportedError for an ONNX
///         file above 2 GiB or a fold that does not keep the outputs; as formats::patched.
[[nodiscard]] Exported export_checkpoint(const RestoredModel& model, const stats::Statistics& statistics,
                                         const ExportFacts& facts, const DataFacts& data);

/// ConfigError with the reason unless a file can hold what the mode's policy uses.
void check_exportable(const adapt::Mode& mode);

}  // namespace shiftnorm::toolkit
