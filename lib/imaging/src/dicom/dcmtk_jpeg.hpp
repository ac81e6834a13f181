#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dicom/header.hpp"

namespace shiftnorm::imaging::dicom {

/// One frame of JPEG or JPEG-LS by DCMTK's decoders, whose marker scan has been done: cells as decoded (no colour
/// conversion), little endian, samples interleaved. start_dcmtk() has run.
/// Errors  Fault corrupt_codestream.
[[nodiscard]] std::vector<std::byte> decode_with_dcmtk(std::span<const std::byte> stream, const PixelModule& module,
                                                       const std::string& transfer_syntax);

}  // namespace shiftnorm::imaging::dicom
