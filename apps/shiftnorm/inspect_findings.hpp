#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::app {

/// What one sample of a data set holds, or why it is bad.
struct Finding {
  std::string id, format, sha256, dtype, bad, kind;
  std::vector<std::int64_t> shape;
  double min = 0, max = 0, mean = 0;
  std::int64_t values = 0;                                 ///< that `mean` is over
  std::string transfer_syntax, transfer_syntax_name, voi;  ///< DICOM; empty: none
  std::optional<double> voi_mean;
  std::vector<std::string> remarks;  ///< as PixelAudit has them
  std::string group;                 ///< of the histograms: whose intensities may be put together
  bool counted = true;               ///< false: a further frame of an object that has its finding
};

/// Everything that was looked at: a finding for each sample, and the intensities of all good ones by group.
struct Findings {
  std::vector<Finding> samples;
  std::map<std::string, imaging::Histogram> intensities;
};

/// Decodes every sample with `threads` threads; the result does not depend on their number. `root`: the folder that
/// ids are relative to. Hashes of image files are only made where `pixels`.
[[nodiscard]] Findings examine(const imaging::Dataset& dataset, const std::filesystem::path& root, bool pixels,
                               int threads, const Progress& progress);

/// One entry of `pixels` in the JSON document.
[[nodiscard]] container::Json finding_json(const Finding& finding);
[[nodiscard]] std::string finding_text(const Finding& finding);
/// The value of a coded attribute (VR CS), "unknown" where there is none. Free text in its place may name anything: it
/// reads "no code".
[[nodiscard]] std::string code_of(const imaging::Sample& sample, const std::string& attribute);
/// "512 x 512 x 1"
[[nodiscard]] std::string size_text(const std::vector<std::int64_t>& shape);

}  // namespace shiftnorm::app
