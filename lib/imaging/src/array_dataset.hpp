#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// Samples along the first axis of an array of any rank. uint8 and uint16 of image shape are images ([N,H,W], [N,H,W,C]
/// or [N,C,H,W] with C = 1, 3, 4); every other array enters the network as numbers. Without a key the file must leave
/// no choice: one array, or one named "images" or "..._images". Labels come from the same file: `X_images` ->
/// `X_labels`, `KEY_labels`, `labels`; [N] or [N, 1] integers. Classes are `options.classes`, or "0", "1" .. the
/// largest label.
/// Errors  FormatError, UnsupportedError, ConfigError (key, layout, classes); texts start with the file's name.
[[nodiscard]] std::unique_ptr<Dataset> open_array(const std::filesystem::path& file, const std::string& key,
                                                  const DatasetOptions& options);

/// Whether the name's extension is one of those read here.
[[nodiscard]] bool named_like_array(const std::filesystem::path& file);

}  // namespace shiftnorm::imaging
