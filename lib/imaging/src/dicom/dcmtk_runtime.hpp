#pragma once

#include <cstdint>

namespace shiftnorm::imaging::dicom {

/// Complaints of DCMTK's JPEG decoders about their data since the process began. They are DCMTK's only sign that a
/// picture was patched with grey.
[[nodiscard]] std::int64_t decoder_complaints();

}  // namespace shiftnorm::imaging::dicom
