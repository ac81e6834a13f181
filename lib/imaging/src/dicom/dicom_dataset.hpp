#pragma once

#include <filesystem>
#include <memory>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging::dicom {

/// All objects below a folder, in one file, or in the folder of a DICOMDIR; zip archives are looked into.
/// Errors  FormatError if there is no image; ConfigError for options that do not fit.
[[nodiscard]] std::unique_ptr<Dataset> open_dicom(const std::filesystem::path& where, const DatasetOptions& options);

}  // namespace shiftnorm::imaging::dicom
