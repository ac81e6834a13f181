#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "syntax.hpp"

namespace shiftnorm::phantom {

struct ArchiveOptions {
  std::vector<std::size_t> scanners{0, 1};  ///< indices into kScanners
  std::int64_t patients = 100;              ///< of each scanner; two images each on average
  std::size_t side = 64;                    ///< pixels
  std::uint64_t seed = 1;
  std::vector<Syntax> syntaxes{kSyntaxes.begin(), kSyntaxes.end()};  ///< in turns
  bool images_only = false;                                          ///< no labels, report, DICOMDIR, damaged files
};

/// Writes what a hospital hands over:
///   OUT/A/P00001/ST1/SE1/IM1   images of scanner A, then B, in turns of the transfer syntaxes
///   OUT/labels.csv             AccessionNumber, label: one row for each study
///   OUT/A/P00001/ST1/SR1       a structured report
///   OUT/DICOMDIR               an index of all objects
/// and, beside the images of the schedule, two that are damaged: one cut in its middle, one whose codestream begins
/// with a block of zeros. The same options give the same bytes.
/// Errors  MachineError for a file that cannot be written.
void write_archive(const std::filesystem::path& out, const ArchiveOptions& options);

}  // namespace shiftnorm::phantom
