#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dicom/header.hpp"

namespace shiftnorm::imaging::dicom {

/// What a codestream says of itself, read without its decoder.
struct CodestreamFacts {
  std::int64_t width = 0, height = 0, components = 0;
  int precision = 0;
  // JPEG
  bool lossless = false;                      ///< one of its lossless processes (SOF3 and its kin)
  bool jfif = false;                          ///< APP0 is JFIF's: three components are Y, Cb and Cr
  std::optional<unsigned> adobe_transform{};  ///< APP14's: 0 none, 1 YCbCr
  std::array<unsigned, 3> ids{};              ///< of the first components
  // JPEG 2000
  bool mixes_components = false;  ///< it has a colour transform of its own, which decoding undoes
};

/// JPEG and JPEG-LS: every marker from SOI to EOI, so that no decoder sees a stream its own scan would not survive.
/// Errors  Fault corrupt_codestream: a marker out of place, a segment past the end, no frame header, no end marker.
[[nodiscard]] CodestreamFacts scan_jpeg(std::span<const std::byte> stream, bool jpeg_ls);
/// The same for what precedes the first scan, where the rest may be missing.
[[nodiscard]] CodestreamFacts scan_jpeg_head(std::span<const std::byte> stream, bool jpeg_ls);

/// JPEG 2000: the codestream inside a JP2 box structure, or the stream itself, and its SIZ marker.
struct Jpeg2000Stream {
  std::span<const std::byte> codestream;
  CodestreamFacts facts;
};
[[nodiscard]] Jpeg2000Stream scan_jpeg_2000(std::span<const std::byte> stream);

/// Errors  Fault geometry_mismatch unless width, height, components and precision fit the header.
void check_geometry(const CodestreamFacts& facts, const PixelModule& module);

/// One frame of PS3.5 annex G: segments are the bytes of the samples, most significant first. The result is
/// little endian, samples interleaved. Errors  Fault corrupt_codestream.
[[nodiscard]] std::vector<std::byte> decode_rle(std::span<const std::byte> stream, const PixelModule& module);

/// One frame by OpenJPEG: little endian cells of module.value_bytes(), samples interleaved, sign undone.
/// Errors  Fault corrupt_codestream, geometry_mismatch.
[[nodiscard]] std::vector<std::byte> decode_jpeg_2000(std::span<const std::byte> stream, const PixelModule& module);

}  // namespace shiftnorm::imaging::dicom
