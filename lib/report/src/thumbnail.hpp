#pragma once

#include <string>

#include "shiftnorm/report/data_report.hpp"

namespace shiftnorm::report {

/// The picture as `data:image/bmp;base64,...`. Source  BITMAPINFOHEADER, uncompressed, 24 bits.
[[nodiscard]] std::string data_address(const Thumbnail& thumbnail);

}  // namespace shiftnorm::report
