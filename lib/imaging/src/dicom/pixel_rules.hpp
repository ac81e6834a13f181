#pragma once

#include "dicom/header.hpp"
#include "dicom/limits.hpp"

class DcmItem;

namespace shiftnorm::imaging::dicom {

/// The image pixel module of a data set. Errors  Fault bad_pixel_module, limit.
[[nodiscard]] PixelModule read_pixel_module(DcmItem& data_set, const Limits& limits);

/// How frame `frame` is shown: per-frame functional groups before the shared ones before the data set.
/// Errors  Fault bad_rescale, bad_pixel_module (palette).
[[nodiscard]] FrameRules read_frame_rules(DcmItem& data_set, const PixelModule& module, std::int64_t frame);

}  // namespace shiftnorm::imaging::dicom
