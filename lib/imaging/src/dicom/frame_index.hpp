#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dicom/header.hpp"
#include "dicom/layout.hpp"

namespace shiftnorm::imaging::dicom {

/// Which fragments of encapsulated pixel data make up each frame. Fragments that hold nothing are left out.
struct FrameIndex {
  std::vector<std::vector<Range>> frames;
  std::string remark;  ///< what the object says wrongly of them, and what was taken instead; empty: nothing
};

/// By the object's table of offsets (the extended one before the basic one), unless an image begins where none should.
/// Without a table that holds, frames begin where images do: at SOI of JPEG and JPEG-LS, SOC or the signature of
/// JPEG 2000, a header of RLE. Images beyond NumberOfFrames are left out.
/// Errors  Fault pixel_length_mismatch where there are fewer images than frames.
[[nodiscard]] FrameIndex index_frames(std::span<const std::byte> bytes, const Layout& layout,
                                      const PixelModule& module);

/// The bytes of one frame, or of as many of its fragments as hold `most` of them.
[[nodiscard]] std::vector<std::byte> joined(std::span<const std::byte> bytes, const std::vector<Range>& parts,
                                            std::uint64_t most = ~std::uint64_t{0});

}  // namespace shiftnorm::imaging::dicom
