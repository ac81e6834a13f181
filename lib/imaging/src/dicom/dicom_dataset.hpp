#pragma once

#include <filesystem>
#include <memory>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging::dicom {

/// Whether a walk through `root` meets a DICOM object (DICM at byte 128) among the files not named like pictures.
[[nodiscard]] bool holds_dicom(const std::filesystem::path& root);
/// Whether one file is an object, a DICOMDIR, or a zip archive (which may hold some).
[[nodiscard]] bool is_dicom_source(const std::filesystem::path& file);

/// All objects below a folder, in one file, or in the folder of a DICOMDIR; zip archives are looked into.
/// Errors  FormatError if there is no image; ConfigError for options that do not fit.
[[nodiscard]] std::unique_ptr<Dataset> open_dicom(const std::filesystem::path& where, const DatasetOptions& options);

}  // namespace shiftnorm::imaging::dicom
