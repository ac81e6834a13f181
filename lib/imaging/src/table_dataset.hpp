#pragma once

#include <filesystem>
#include <memory>

#include "label_join.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The image files that a table lists in its column `path`, in its order, relative to `folder`; labels are not read
/// here. A file named on several lines is one sample.
/// Errors  ConfigError if there is no such column; FormatError if it is empty everywhere.
[[nodiscard]] std::unique_ptr<Dataset> open_table(const Table& table, const std::filesystem::path& folder);

[[nodiscard]] bool named_like_table(const std::filesystem::path& file);

}  // namespace shiftnorm::imaging
