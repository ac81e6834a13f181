#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dicom/codestream_colour.hpp"
#include "dicom/header.hpp"
#include "dicom/layout.hpp"

namespace shiftnorm::imaging::dicom {

/// Compares the length of native pixel data with what the header needs; encapsulated data pass.
/// Errors  Fault pixel_length_mismatch.
void check_pixel_length(const PixelModule& module, const Layout& layout);

/// One frame of uncompressed pixel data. `bytes`: what `layout`'s offsets are into.
/// Errors  Fault unsupported_transfer_syntax.
[[nodiscard]] StoredFrame native_frame(std::span<const std::byte> bytes, const Layout& layout,
                                       const PixelModule& module, std::int64_t index);

/// One frame from its codestream.
/// Errors  Fault geometry_mismatch, corrupt_codestream, unsupported_transfer_syntax.
[[nodiscard]] StoredFrame decoded_frame(std::span<const std::byte> stream, const Layout& layout,
                                        const PixelModule& module);

/// What a frame's colours are, from the head of its codestream. Errors  Fault corrupt_codestream.
[[nodiscard]] ResolvedColour colour_of(std::span<const std::byte> head, const Layout& layout,
                                       const PixelModule& module);

}  // namespace shiftnorm::imaging::dicom
