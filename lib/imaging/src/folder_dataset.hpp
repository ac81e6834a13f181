#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// An image folder. Sub-folders of `root` that hold images (at any depth) are the classes, in folder_order(); without
/// any, the images in `root` itself are an unlabelled set. Files in `root` beside class folders belong to no class and
/// count as skipped, as hidden entries and those of systems do. Links are followed. A file named like an image is a
/// sample whatever it holds; a file named otherwise is one if its first bytes are an image's.
/// Errors  ConfigError if `options.classes` and the folders do not fit; FormatError if there is no image.
/// `classes`: false where a table has them: folders are none then, and every image is a sample.
[[nodiscard]] std::unique_ptr<Dataset> open_folder(const std::filesystem::path& root, const DatasetOptions& options,
                                                   bool classes = true);

/// Names of class folders in the order of the classes: by number where all are numbers, else by text.
[[nodiscard]] std::vector<std::string> folder_order(const std::set<std::string>& names);

[[nodiscard]] bool is_image_extension(std::string_view lower);  ///< ".jpg" and the like, in lower case
/// By its extension.
[[nodiscard]] bool named_like_image(const std::filesystem::path& path);

}  // namespace shiftnorm::imaging
