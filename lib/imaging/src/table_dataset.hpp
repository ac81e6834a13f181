#pragma once

#include <filesystem>
#include <memory>

#include "label_join.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// The image files that a table lists in the column of its key, in its order, relative to `folder`; labels are not read
/// here. A file named on several lines is one sample. Backslashes part folders where that is the file that is there.
/// Errors  FormatError if it is empty everywhere.
[[nodiscard]] std::unique_ptr<Dataset> open_table(const Table& table, const std::filesystem::path& folder);

/// `.csv`, `.tsv` and `.txt`, in upper or lower case.
[[nodiscard]] bool named_like_table(const std::filesystem::path& file);

}  // namespace shiftnorm::imaging
