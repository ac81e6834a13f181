#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace shiftnorm::phantom {

/// Writes `per_class` 8-bit PNG files of each finding, OUT/scanner-A/<finding>/NNNN.png: what networks are trained on.
/// Errors  MachineError for a file that cannot be written.
void write_image_folder(const std::filesystem::path& out, std::size_t scanner, std::int64_t per_class, std::size_t side,
                        std::uint64_t seed);

}  // namespace shiftnorm::phantom
