#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace shiftnorm::imaging::dicom {

/// One place where an object may lie.
struct Source {
  std::string path;          ///< of the file
  std::int64_t member = -1;  ///< of the archive
  std::string shown;         ///< relative path, with `!member` behind an archive's; never leaves this module
  std::string folder;        ///< first folder below the root; empty: none
};

struct SourceWalk {
  std::vector<Source> sources;  ///< in the order of `shown`
  struct Passed {
    Source source;
    std::string reason;  ///< as skipped files have it
  };
  std::vector<Passed> passed;  ///< what is there and not looked into
  std::vector<Source> closed;  ///< folders that may not be looked into
};

/// Files of a folder and of the folders that it links to, hidden ones too; each folder once, however many links lead to
/// it or back. A file: itself alone. Errors  MachineError if the folder cannot be listed.
[[nodiscard]] SourceWalk walk_sources(const std::filesystem::path& where);

}  // namespace shiftnorm::imaging::dicom
