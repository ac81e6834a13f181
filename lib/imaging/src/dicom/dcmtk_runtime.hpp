#pragma once

#include <cstdint>

namespace shiftnorm::imaging::dicom {

/// What DCMTK's JPEG decoders warned of since the process began: their only sign that a picture was patched with grey.
struct DecoderWarnings {
  std::int64_t lost = 0;       ///< warnings that data were lost
  std::int64_t left_over = 0;  ///< bytes that stood between the last pixel and a marker
};
[[nodiscard]] DecoderWarnings decoder_warnings();

}  // namespace shiftnorm::imaging::dicom
