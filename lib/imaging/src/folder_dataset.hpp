#pragma once

#include <filesystem>
#include <memory>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// An image folder. Sub-folders of `root` that hold images (at any depth) are the classes; without any, the images in
/// `root` itself are an unlabelled set. Files in `root` beside class folders belong to no class and count as skipped.
/// Links to files are followed, links to folders are not. A file named like an image is a sample whatever it holds; a
/// file named otherwise is one if its first bytes are an image's.
/// Errors  ConfigError if `options.classes` and the folders do not fit; FormatError if there is no image.
[[nodiscard]] std::unique_ptr<Dataset> open_folder(const std::filesystem::path& root, const DatasetOptions& options);

}  // namespace shiftnorm::imaging
