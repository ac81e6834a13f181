#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace shiftnorm::stats {

/// Which network was measured on which images, and with what: what every file of statistics says of itself.
struct MeasuredFacts {
  std::string model_sha256, architecture;
  std::string weights;  ///< which of several sets in the model's file, as the user named it; empty: the usual one
  std::string preprocess, preprocess_steps, preprocess_sha256;  ///< name, YAML, hash of the canonical form
  std::vector<std::string> fingerprints;                        ///< of the data; several after a merge
  std::int64_t images = 0;
  std::optional<std::int64_t> patients;  ///< whose images they are, exact; absent: not identified
  std::string drawn;                     ///< how they were chosen of more, for people; empty: all there were
  std::string shift;                     ///< synthetic changes of the images, for people; empty: none
  std::string instruction_set, program_version;
  std::string libraries;  ///< that computed, see libraries_text(); empty: written by an earlier version
};

}  // namespace shiftnorm::stats
