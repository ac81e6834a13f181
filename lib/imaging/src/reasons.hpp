#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// "3 truncated, 1 is not an image": how many files were left out for each reason, the most frequent first; DICOM's are
/// told by their names, others without what was expected. Of more than `most` reasons the rest are counted.
[[nodiscard]] std::string counted_reasons(std::span<const Bad> files, std::size_t most = 12);

}  // namespace shiftnorm::imaging
