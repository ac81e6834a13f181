#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dicom/header.hpp"
#include "dicom/layout.hpp"

namespace shiftnorm::imaging::dicom {

/// Compares the length of native pixel data with what the header needs; encapsulated data pass.
/// Errors  Fault pixel_length_mismatch.
void check_pixel_length(const PixelModule& module, const Layout& layout);

/// One frame as StoredFrame::values. `bytes`: what `layout`'s offsets are into.
/// Errors  Fault pixel_length_mismatch, geometry_mismatch, corrupt_codestream, unsupported_transfer_syntax.
[[nodiscard]] std::vector<std::byte> read_frame(std::span<const std::byte> bytes, const Layout& layout,
                                                const PixelModule& module, std::int64_t index);

}  // namespace shiftnorm::imaging::dicom
